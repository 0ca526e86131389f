"""Recognizes statements that the server or auditctl refused: by SQLSTATE, or in English by the message.

A function that a login calls may raise these SQLSTATEs itself. Such an event is about that login's own session.
"""

from __future__ import annotations

import re

from auditctl.log_import.records import Record
from auditctl.log_import.sources.source import Activity, Source

TARGET = "auditctl.refusal"
_STATES = ("42501", "UA001", "UA002", "UA003", "UA004")

_MESSAGE = re.compile(
    r"permission denied\b|must be (?:owner|superuser|member|able)\b|must have \S+ |only superusers? |only roles with "
    r"|new row violates row-level security policy|query would be affected by row-level security"
    r"|(?:[a-z]+ (?:on|of) .+ )?refused: ",
    re.IGNORECASE | re.DOTALL,
)
_OBJECT = re.compile(
    r"permission denied for (?P<kind>(?:[a-z]+ )+?)(?P<name>[^ ].*?)(?: at character [0-9]+)?$"
    r"|must be owner of (?P<owned>(?:[a-z]+ )+?)(?P<owned_name>[^ ].*?)(?: at character [0-9]+)?$"
    r'|new row violates row-level security policy.* for table "(?P<table>.*)"$'
    r"|[A-Za-z]+ (?:on|of) (?P<audited>\S+) refused: ",
    re.DOTALL,
)
_WORD = re.compile(r"\s*([A-Za-z]+)")
_TAGS = ("", "PARSE", "BIND", "EXECUTE", "idle")


def _read(record: Record) -> Activity | None:
    if record.severity != "ERROR" or not _is_refused(record):
        return None
    kind, name = _object(record.message)
    return Activity(
        record,
        target=TARGET,
        outcome="refused",
        source="server",
        summary=record.message,
        login=record.login,
        name=name,
        context={"object_type": kind, "sqlstate": record.state or None, "command": _command(record)},
        query=record.statement or None,
    )


def _is_refused(record: Record) -> bool:
    return record.state in _STATES if record.state else _MESSAGE.match(record.message) is not None


def _object(message: str) -> tuple[str | None, str | None]:
    """Return the kind and the name of the object that an English message names; None where it names none."""
    if not (found := _OBJECT.match(message)):
        return None, None
    if table := found["table"] or found["audited"]:
        return "table", table
    kind, name = (found["kind"], found["name"]) if found["name"] is not None else (found["owned"], found["owned_name"])
    return kind.strip(), name


def _command(record: Record) -> str | None:
    """Return the kind of statement: its command tag, or the first word of its text."""
    if record.command not in _TAGS:
        return record.command
    word = _WORD.match(record.statement)
    return word[1].upper()[:20] if word else None


SOURCE = Source(
    name="refusals",
    states=_STATES,
    words=(
        b"permission denied",
        b"must be ",
        b"must have ",
        b"nly superuser",
        b"nly roles",
        b"row-level security",
        b"refused: ",
    ),
    read=_read,
    targets={TARGET: ("refused statement", "refused statements")},
)
