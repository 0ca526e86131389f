"""Describes a line of the server's log as the JSON of an event to import. Pure."""

from __future__ import annotations

from typing import Any

from auditctl.log_import.audited_tables import AuditedTable
from auditctl.log_import.files import LogFile
from auditctl.log_import.records import Record
from auditctl.log_import.sources.source import Activity, OwnRead, Read

QUERY_BYTES = 10_240
"""Maximum length of a statement's text in an event."""

_NAME_CHARACTERS = 200
"""Maximum length of a user's name; PostgreSQL's have 63 bytes."""

_SUMMARY_CHARACTERS = 1000
"""Maximum length of a message in an event."""

_PROTOCOL = ("", "PARSE", "BIND", "idle")
"""Command tags that are about the protocol and not about the statement."""


def line_context(file: LogFile, read: Read | OwnRead | Activity) -> dict[str, Any]:
    """Return the part of the event's context that describes the line."""
    record = read.record
    return {
        "source": "auditctl",
        "session_id": record.session or None,
        "process": record.process if not record.session and record.process != "-" else None,
        "line": record.number or None,
        "application_name": record.application or None,
        "imported_from": file.path.name,
    }


def read_event(file: LogFile, read: Read, table: AuditedTable, *, with_query: bool) -> dict[str, Any]:
    """Return a read as auditctl.import_reads takes it, without its key."""
    record = read.record
    context = {
        **line_context(file, read),
        **read.context,
        **_origin(record),
        "source": read.source,
        "leaf": table.leaf,
        **_query(read.query if with_query else None),
    }
    if record.command not in _PROTOCOL:
        context["command"] = record.command
    return {
        "at": record.at.isoformat(),
        "login": record.login,
        "host": record.address,
        "target": table.target,
        "context": context,
    }


def activity_event(file: LogFile, activity: Activity, *, with_query: bool) -> dict[str, Any]:
    """Return another event as auditctl.import_activities takes it, without its key."""
    record = activity.record
    context = {
        **line_context(file, activity),
        **_origin(record),
        **activity.context,
        "source": activity.source,
        "outcome": activity.outcome,
        "database": record.database if activity.is_global and record.database else None,
        **_query(activity.query if with_query else None),
    }
    if activity.outcome == "failed":
        del context["application_name"]  # of somebody who has not proved who it is
    return {
        "at": record.at.isoformat(),
        "login": activity.login[:_NAME_CHARACTERS],
        "host": record.address,
        "target": activity.target,
        "target_id": activity.name,
        "summary": activity.summary[:_SUMMARY_CHARACTERS],
        "context": context,
    }


def _origin(record: Record) -> dict[str, Any]:
    return {
        "remote_host": None if record.address or record.host in ("", "[local]") else record.host,
        "transaction": None if record.xact_id in ("", "0") else record.xact_id,
    }


def _query(query: str | None) -> dict[str, str]:
    return {} if query is None else {"query": query.encode()[:QUERY_BYTES].decode(errors="ignore")}
