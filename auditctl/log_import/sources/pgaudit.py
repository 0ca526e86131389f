"""Parses what the extension pgaudit logs: `AUDIT: OBJECT,1,1,READ,SELECT,TABLE,billing.customer,...`.

Reads become events of the table; DDL and ROLE statements become events of auditctl's own targets. pgaudit logs a
statement once it has run; its transaction may be rolled back later.
"""

from __future__ import annotations

import csv
import io
import re

from auditctl.log_import.records import Record
from auditctl.log_import.sources.source import Activity, Entry, ForgedRecord, Read, Source, UnverifiableRecord

MARK = "AUDIT: "
DDL = "auditctl.ddl_statement"
ROLE = "auditctl.role_statement"
_TARGETS = {"DDL": DDL, "ROLE": ROLE}

_KNOWN = re.compile(r"(OBJECT|SESSION),[0-9]+,[0-9]+,(READ|DDL|ROLE),", re.ASCII)
_PART = r'(?:"((?:[^"]|"")+)"|([^".]+))'
_RELATION = re.compile(rf"{_PART}\.{_PART}")
_STATES = ("", "00000", "01000")
_FILE = "pgaudit.c"
_UNKNOWN = ("<not logged>", "<previously logged>", "[not logged]")
_FIELDS = 8


def _read(record: Record) -> Entry | None:
    if not record.message.startswith(MARK):
        return None
    text = record.message[len(MARK) :]
    if not _KNOWN.match(text):
        return None
    if record.is_bare is None:
        return UnverifiableRecord(record)
    if not _is_genuine(record):
        return ForgedRecord(record)
    try:
        fields = next(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        fields = []
    if len(fields) < _FIELDS:
        return ForgedRecord(record)
    return _activity(record, fields) if fields[3] in _TARGETS else _table_read(record, fields)


def _table_read(record: Record, fields: list[str]) -> Read:
    kind, statement, substatement, _, command, _, name, query, *_ = fields
    return Read(
        record,
        relation=_relation(name),
        statement=f"{statement}.{substatement}",
        source=f"pgaudit {kind.lower()}",
        context={"command": command, "statement": f"{statement}.{substatement}"},
        query=None if query in _UNKNOWN else query,
    )


def _activity(record: Record, fields: list[str]) -> Activity:
    kind, statement, substatement, audit_class, command, object_type, name, query, *_ = fields
    return Activity(
        record,
        target=_TARGETS[audit_class],
        outcome="done",
        source=f"pgaudit {kind.lower()}",
        summary=" ".join(part for part in (command, name) if part),
        login=record.login,
        name=name or None,
        statement=f"{statement}.{substatement}",
        is_global=command.endswith(" ROLE"),  # roles belong to the whole server
        context={
            "command": command,
            "object_type": object_type.lower() or None,
            "statement": f"{statement}.{substatement}",
        },
        query=None if query in _UNKNOWN else query,
    )


def _is_genuine(record: Record) -> bool:
    """Whether the extension wrote the record: it hides context and statement, which a login's RAISE shows."""
    return record.is_bare is True and record.state in _STATES and record.file in ("", _FILE)


def _relation(name: str) -> tuple[str, str] | None:
    if not (match := _RELATION.fullmatch(name)):
        return None
    return _plain(match[1], match[2]), _plain(match[3], match[4])


def _plain(quoted: str | None, plain: str) -> str:
    return plain if quoted is None else quoted.replace('""', '"')


SOURCE = Source(
    name="pgaudit",
    marks=(MARK.encode(),),
    read=_read,
    targets={
        DDL: ("DDL statement", "DDL statements"),
        ROLE: ("statement about roles", "statements about roles"),
    },
)
