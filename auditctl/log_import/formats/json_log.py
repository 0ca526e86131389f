"""Parses log_destination = jsonlog: one JSON object in each line. From PostgreSQL 15 on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from auditctl.log_import.formats.line_format import LONGEST, LineFormat, Lines, Piece, fixed, read_line
from auditctl.log_import.records import Clock, Malformed, Record, clean
from auditctl.log_import.severities import severity_of

_START = b'{"timestamp":"'
_EXTRAS = ("context", "statement", "detail", "hint", "internal_query")


def _split(lines: Lines) -> Iterator[Piece]:
    while True:
        line, size, is_complete = read_line(lines)
        if not is_complete:
            return
        yield Piece(line, size, is_torn=size > LONGEST)


def _is_whole(raw: bytes) -> bool:
    return raw.startswith(_START) and raw.rstrip(b"\r\n").endswith(b"}")


def _salvage(raw: bytes) -> bytes:
    # In a value each quote has a backslash before it, so that nobody can write such a start into one.
    start = raw.rfind(_START)
    return raw[start:] if start > 0 else b""


def _parse(text: str, clock: Clock) -> Record:
    try:
        fields: dict[str, Any] = json.loads(text)
        if text.find(_START.decode(), 1) > 0:
            raise Malformed("two records in one")
        session = _text(fields, "session_id")
        return Record(
            at=clock.read(fields["timestamp"], session, fields["session_start"]),
            login=_text(fields, "user"),
            database=_text(fields, "dbname"),
            host=_text(fields, "remote_host"),
            port=str(fields.get("remote_port", "")),
            session=session,
            number=int(fields["line_num"]),
            command=_text(fields, "ps"),
            transaction=_text(fields, "vxid"),
            xact_id=str(fields.get("txid", 0)),
            state=_text(fields, "state_code") or "00000",
            message=_text(fields, "message"),
            is_bare=not any(name in fields for name in _EXTRAS),
            file=_text(fields, "file_name"),
            application=_text(fields, "application_name"),
            severity=severity_of(_text(fields, "error_severity")),
            statement=_text(fields, "statement"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed("not JSON of the server") from error


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise Malformed(f"{name} is not a text")
    return clean(value)


FORMAT = LineFormat(
    name="jsonlog",
    begins=lambda first: first.startswith(_START),
    split=_split,
    is_whole=_is_whole,
    parse=_parse,
    salvage=_salvage,
    state_marks=(b'"state_code":"', b'"'),
)

KIND = fixed(FORMAT)
