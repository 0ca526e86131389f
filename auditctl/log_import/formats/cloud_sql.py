"""Parses entries of Google Cloud Logging, a JSON object in each line, as Cloud SQL and AlloyDB write them.

Most entries wrap a line of text. DETAIL, CONTEXT and STATEMENT come as entries of their own, in any order, so nothing
shows whether a login made the server write a line of pgaudit. The audit logs that the service makes of such lines do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from auditctl.log_import.formats import text_log
from auditctl.log_import.formats.cloudnative_pg import audit_message
from auditctl.log_import.formats.line_format import (
    Detected,
    FormatKind,
    LineFormat,
    LogSettings,
    json_lines,
    json_object,
    text_of,
)
from auditctl.log_import.prefix import Prefix, compile_prefix
from auditctl.log_import.records import Clock, Malformed, Record
from auditctl.log_import.severities import severity_of

NAME = "cloudsql"
PREFIX = compile_prefix("%m [%p]: [%l-1] db=%d,user=%u ")
_PAYLOADS = ("textPayload", "jsonPayload", "protoPayload")
_MARKS = tuple(f'"{name}"'.encode() for name in _PAYLOADS)
_AUDIT = ("auditType", "statementId", "substatementId", "auditClass", "command", "objectType", "object")


def _parse(text: str, clock: Clock, prefix: Prefix) -> Record:
    entry = json_object(text)
    at = _moment(text_of(entry, "timestamp"))
    if isinstance(payload := entry.get("protoPayload"), dict):
        record = _audit(payload, at)
    else:
        inner = text_of(entry, "textPayload") or text_of(entry.get("jsonPayload"), "message")
        try:
            record = replace(text_log.parse(inner, clock, prefix, at=at), is_bare=None)
        except Malformed:  # a further line of a message
            record = _record(at, message=inner, severity="")
    return replace(record, line=text_of(entry, "insertId"))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed("no timestamp") from error
    if moment.tzinfo is None:
        raise Malformed("no time zone")
    return moment.astimezone(UTC)


def _audit(payload: dict[str, Any], at: datetime) -> Record:
    request = payload.get("request")
    if not text_of(request, "@type").endswith(".PgAuditEntry") or text_of(request, "chunkIndex") not in ("", "1"):
        return _record(at, message="", severity="")
    fields = [text_of(request, name) for name in (*_AUDIT, "statement", "parameter")]
    return replace(
        _record(at, message=audit_message(fields), severity="LOG"),
        login=text_of(request, "user"),
        database=text_of(request, "database"),
        host=text_of(payload.get("requestMetadata"), "callerIp"),
        process=text_of(request, "databaseSessionId") or "-",
        is_bare=True,
    )


def _record(at: datetime, *, message: str, severity: str) -> Record:
    return Record(
        at=at, login="", database="", host="", port="", session="", number=0, command="", transaction="", xact_id="",
        state="", message=message, is_bare=None, file="", application="", severity=severity_of(severity), process="-",
    )  # fmt: skip


@lru_cache
def _format(prefix: Prefix) -> LineFormat:
    parse = partial(_parse, prefix=prefix)
    return json_lines(NAME, parse, _MARKS, state_marks=None, marks=(b".PgAuditEntry",), prefix=prefix)


def _detect(head: Sequence[bytes], settings: LogSettings) -> Detected | None:
    if not head[0].startswith(b"{"):
        return None
    entries = [json_object(line) for line in head]
    if not any(name in entries[0] for name in _PAYLOADS):
        return None
    texts = [(text_of(e, "textPayload") or text_of(e.get("jsonPayload"), "message")).encode() for e in entries]
    return Detected(_format(text_log.best((*settings.prefixes, PREFIX), texts) or PREFIX), head[0])


KIND = FormatKind(NAME, _detect)
