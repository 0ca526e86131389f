"""Parses the output of CloudNativePG: JSON lines around the columns of csvlog, and around the fields of pgaudit."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from auditctl.log_import.formats.line_format import (
    Detected,
    FormatKind,
    LogSettings,
    json_lines,
    json_object,
    text_of,
)
from auditctl.log_import.records import Clock, Malformed, Record
from auditctl.log_import.severities import severity_of

_LOGGERS = ("postgres", "pgaudit")
_MARKS = tuple(f'"logger":"{name}"'.encode() for name in _LOGGERS)
_EXTRAS = ("detail", "hint", "internal_query", "context", "query")
_AUDIT = ("audit_type", "statement_id", "substatement_id", "class", "command", "object_type", "object_name")


def audit_message(fields: Sequence[str]) -> str:
    """Return the message that pgaudit writes of its fields."""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(fields)
    return f"AUDIT: {row.getvalue()}"


def _parse(text: str, clock: Clock) -> Record:
    fields: dict[str, Any] = json_object(text)
    record = fields.get("record")
    if not isinstance(record, dict):
        raise Malformed("not a record of CloudNativePG")
    message = text_of(record, "message")
    if isinstance(audit := record.get("audit"), dict):
        names = (*_AUDIT, "statement", "parameter")
        message = audit_message([text_of(audit, name) for name in names])
    host, _, port = text_of(record, "connection_from").rpartition(":")
    session = text_of(record, "session_id")
    number = text_of(record, "session_line_num")
    if not number.isdecimal():
        raise Malformed("not a number")
    return Record(
        at=clock.read(text_of(record, "log_time"), session, text_of(record, "session_start_time")),
        login=text_of(record, "user_name"),
        database=text_of(record, "database_name"),
        host=host or port,
        port=port if host else "",
        session=session,
        number=int(number),
        command=text_of(record, "command_tag"),
        transaction=text_of(record, "virtual_transaction_id"),
        xact_id=text_of(record, "transaction_id"),
        state=text_of(record, "sql_state_code") or "00000",
        message=message,
        is_bare=not any(record.get(name) for name in _EXTRAS),
        file=text_of(record, "location").rpartition(", ")[2].partition(":")[0],
        application=text_of(record, "application_name"),
        severity=severity_of(text_of(record, "error_severity")),
        statement=text_of(record, "query"),
    )


FORMAT = json_lines(
    "cloudnativepg",
    _parse,
    _MARKS,
    begins=lambda first: first.startswith(b"{") and "logger" in json_object(first),
    marks=(_MARKS[1],),
)


def _detect(head: Sequence[bytes], _: LogSettings) -> Detected | None:
    return Detected(FORMAT, head[0]) if FORMAT.begins(head[0]) else None


KIND = FormatKind(FORMAT.name, _detect)
