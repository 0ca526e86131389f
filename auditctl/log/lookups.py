"""Records who looks at the log: a search, the history of an object, or one event; and who signs in to the page.

A look-up is recorded before it is answered, and once an hour for the same person, address and program. Where it cannot
be recorded because the server is read-only, or the login may not record, the answer says so; any other failure refuses
the answer.

Source: auditctl.record_lookup and auditctl.record_session (sql/functions/10_log/lookup.sql).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psycopg.errors import InvalidParameterValue, ReadOnlySqlTransaction
from psycopg.types.json import Jsonb

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError, UsageError
from auditctl.log.filters import BY_NAME, ZONE, Filters
from auditctl.names import LOOKUPS

MAX_SUMMARY = 500
"""Characters of a summary; the data has all of it."""

_READ_ONLY = "The server is read-only, such as a standby: that you look at this is not recorded."
_DENIED = "{login} may not record events: that you look at this is not recorded."


class View(StrEnum):
    """What is looked at."""

    LOG = "log"
    HISTORY = "history"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Lookup:
    """What somebody looks at.

    Attributes:
        view: What is looked at.
        summary: It in words.
        data: What selects it, for JSON.
        targets: The names of its target; all names that the target had, or several targets, or none.
        target_id: The key of its object; None for none, or for several.
    """

    view: View
    summary: str
    data: dict[str, Any]
    targets: tuple[str, ...] = ()
    target_id: str | None = None

    @property
    def identity(self) -> str:
        """A text that is the same for the same look-up."""
        return json.dumps([self.view, self.data, self.targets, self.target_id])


@dataclass(frozen=True, slots=True)
class Recording:
    """What came of recording a look-up.

    Attributes:
        event_id: The event; None where it was recorded before, is switched off, or cannot be recorded.
        obstacle: Why it cannot be recorded, as a sentence; empty if it can.
    """

    event_id: int | None = None
    obstacle: str = ""


def of_search(filters: Filters) -> Lookup:
    """Return the look-up of a search; its filters are resolved."""
    targets: Sequence[str] = filters.values.get("target", ())
    keys = filters.values.get("id", ())
    texts = filters.as_dict()
    if not any(BY_NAME[name].by_clock for name in filters.texts):
        texts.pop(ZONE, None)
    return Lookup(
        View.LOG, filters.describe(), {"filters": texts}, tuple(targets), keys[0].text if len(keys) == 1 else None
    )


def of_history(target: str, target_id: str) -> Lookup:
    """Return the look-up of the history of an object."""
    return Lookup(View.HISTORY, f"{target} {target_id}".rstrip(), {}, (target,), target_id)


def of_event(event_id: int, target: str, target_id: str | None) -> Lookup:
    """Return the look-up of one event."""
    summary = f"{event_id}, {target} {target_id or ''}".rstrip()
    return Lookup(View.EVENT, summary, {"event_id": event_id}, (target,), target_id)


def filters_of(target: str, target_id: str | None) -> dict[str, tuple[str, ...]]:
    """Return the filters that select the look-ups of an object, as texts."""
    key = json.dumps([target] if target_id is None else [target, target_id], ensure_ascii=False)
    return {"target": (LOOKUPS,), "id": (key,)}


def record(conn: Connection, lookup: Lookup) -> Recording:
    """Record a look-up, in a transaction of its own.

    Raises:
        UsageError: It is too long to be recorded.
        DatabaseError: It cannot be recorded for another reason than that the server is read-only or the login may not.
    """
    shortened = lookup.summary if len(lookup.summary) <= MAX_SUMMARY else f"{lookup.summary[:MAX_SUMMARY]}…"
    data = Jsonb({"view": lookup.view, **lookup.data})
    targets = list(lookup.targets) or None
    try:
        return _call(
            conn, "select auditctl.record_lookup(%s, %s, %s, %s)", [shortened, data, targets, lookup.target_id]
        )
    except DatabaseError as error:
        if error.sqlstate != InvalidParameterValue.sqlstate:
            raise
        raise UsageError("the filters are too long to be recorded", hint="Write fewer or shorter values.") from error


def record_session(conn: Connection, *, is_start: bool) -> Recording:
    """Record that the login signs in to the page, or out.

    Raises:
        DatabaseError: As `record` does.
    """
    return _call(conn, "select auditctl.record_session(%s)", [is_start])


def _call(conn: Connection, query: str, arguments: list[Any]) -> Recording:
    try:
        with database.errors_translated():
            row = conn.execute(query.encode(), arguments).fetchone()
    except DatabaseError as error:
        if error.sqlstate == ReadOnlySqlTransaction.sqlstate:
            return Recording(obstacle=_READ_ONLY)
        if error.sqlstate == database.DENIED:
            return Recording(obstacle=_DENIED.format(login=conn.info.user))
        raise
    return Recording(None if row is None else row[0])
