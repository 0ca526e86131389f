"""Writes a list of transactions as CSV, JSON or JSON Lines, with one set of names."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from typing import Any

from auditctl.log.by_transaction.model import Group
from auditctl.log.formats.csv import cell, safe_cell
from auditctl.text import iso_utc

NEWEST = ("ip_address", "user", "reason", "db_user", "actor_kind")
"""What is read of the latest event of each transaction."""

COLUMNS = (
    "xact_id", "began_on", "ended_on", "ip_address", "user", "has_other_users", "details", "reason", "events",
    "other_events", "first_event_id", "last_event_id", "db_user", "actor_kind",
)  # fmt: skip
"""The columns of a transaction, in the order of every format."""


def row(group: Group) -> dict[str, Any]:
    """Return the values of a transaction, by column; times as ISO 8601 in UTC."""
    count = group.count
    values = dict(zip(NEWEST, group.newest, strict=True)) | {
        "xact_id": count.number,
        "began_on": iso_utc(count.first_at, microseconds=True),
        "ended_on": iso_utc(count.last_at, microseconds=True),
        "has_other_users": not count.is_of_one_user,
        "details": group.details,
        "events": count.events,
        "other_events": group.others,
        "first_event_id": count.first_event_id,
        "last_event_id": count.last_event_id,
    }
    return {name: values[name] for name in COLUMNS}


def csv(groups: Iterable[Group], *, safe: bool) -> Generator[str]:
    """Yield the header, then a record for each transaction.

    Args:
        groups: The transactions.
        safe: Whether an apostrophe is put before text that a spreadsheet would take for a formula.
    """
    yield ",".join(COLUMNS) + "\n"
    for group in groups:
        yield ",".join(cell(_text(value, safe=safe)) for value in row(group).values()) + "\n"


def json_lines(groups: Iterable[Group]) -> Generator[str]:
    """Yield one object on each line."""
    for group in groups:
        yield json.dumps(row(group), ensure_ascii=False) + "\n"


def json_array(groups: Iterable[Group]) -> Generator[str]:
    """Yield one array with an object on each line; `[]` for none."""
    before = "["
    for line in json_lines(groups):
        yield f"{before}\n{line.rstrip()}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


WRITERS: dict[str, Callable[[Iterable[Group], bool], Generator[str]]] = {
    "csv": lambda groups, safe: csv(groups, safe=safe),
    "json": lambda groups, _: json_array(groups),
    "jsonl": lambda groups, _: json_lines(groups),
}
"""By the name of a format: what writes it, given whether cells must be safe for spreadsheets."""


def _text(value: object, *, safe: bool) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return safe_cell(value) if safe else value
    return None if value is None else str(value)
