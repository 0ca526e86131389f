"""Parses the reads that the extension pgaudit logs: `AUDIT: OBJECT,1,1,READ,SELECT,TABLE,billing.customer,...`."""

from __future__ import annotations

import csv
import io
import re

from auditctl.log_import.records import Record
from auditctl.log_import.sources.source import ForgedRecord, Read, Source

MARK = "AUDIT: "
_READ = re.compile(r"(OBJECT|SESSION),[0-9]+,[0-9]+,READ,", re.ASCII)
_PART = r'(?:"((?:[^"]|"")+)"|([^".]+))'
_RELATION = re.compile(rf"{_PART}\.{_PART}")
_STATES = ("00000", "01000")
_FILE = "pgaudit.c"
_UNKNOWN = ("<not logged>", "<previously logged>")
_FIELDS = 8


def _read(record: Record) -> Read | ForgedRecord | None:
    text = record.message[len(MARK) :]
    if not _READ.match(text):
        return None
    if not _is_genuine(record):
        return ForgedRecord(record)
    try:
        fields = next(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        fields = []
    if len(fields) < _FIELDS:
        return ForgedRecord(record)
    kind, statement, substatement, _, command, _, name, query, *_ = fields
    return Read(
        record,
        relation=_relation(name),
        statement=f"{statement}.{substatement}",
        source=f"pgaudit {kind.lower()}",
        context={"command": command, "statement": f"{statement}.{substatement}"},
        query=None if query in _UNKNOWN else query,
    )


def _is_genuine(record: Record) -> bool:
    """Whether the extension wrote the record: it hides context and statement, which a login's RAISE shows."""
    return record.is_bare and record.state in _STATES and record.file in ("", _FILE)


def _relation(name: str) -> tuple[str, str] | None:
    if not (match := _RELATION.fullmatch(name)):
        return None
    return _plain(match[1], match[2]), _plain(match[3], match[4])


def _plain(quoted: str | None, plain: str) -> str:
    return plain if quoted is None else quoted.replace('""', '"')


SOURCE = Source(name="pgaudit", mark=MARK, read=_read)
