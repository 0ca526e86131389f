"""Finds events that hold in the clear what a rule excluded or masked when they were written.

The log has every change of a rule, so it says itself what each rule hid at which time. Reads only; the times are pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from auditctl import own_events, resources
from auditctl.capture import rule_history
from auditctl.capture.rule_history import Moment
from auditctl.capture.scope import Scope
from auditctl.database import Connection
from auditctl.doctor.model import ClearTarget, ClearValues
from auditctl.table_names import Pattern

LIMIT = 1_000_000
"""How many events, the newest, are examined."""

_BOUNDARY = """
    select e.occurred_at from auditctl.event as e
     where e.occurred_at > %(oldest)s order by e.occurred_at desc offset %(limit)s - 1 limit 1
"""
"""The time of the last event that is examined; nothing where the log has fewer."""

_END = "infinity"

Hidden = tuple[tuple[str, ...], tuple[str, ...]]
"""The excluded and the masked columns of a table."""


@dataclass(frozen=True, slots=True)
class Span:
    """What events of a target had to hide, between two times.

    Attributes:
        target: The registered name.
        since: The time after which it was so, as ISO 8601.
        until: The time before which it was so, or `infinity`.
        exclude: Columns that had to be absent.
        mask: Columns that had to be masked.
        hidden_key: Those of the key that had to be hashed.
    """

    target: str
    since: str
    until: str
    exclude: tuple[str, ...]
    mask: tuple[str, ...]
    hidden_key: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return its values by name, for the query."""
        return {name: getattr(self, name) for name in ("target", "since", "until", "exclude", "mask", "hidden_key")}


def read(conn: Connection, limit: int | None = LIMIT, limits: Scope | None = None) -> ClearValues:
    """Return what events show although a rule hid it (sql/queries/clear_value.sql).

    Args:
        conn: The connection; needs SELECT on auditctl.event.
        limit: How many events are examined, the newest first; None for all.
        limits: The tables to look at; None for all.
    """
    history = rule_history.read(conn)
    targets: dict[str, Sequence[str]] = dict(conn.execute("select target, key_columns from auditctl.target").fetchall())
    if limits is not None:
        targets = {target: key for target, key in targets.items() if limits.includes(target)}
    spans = list(_with_keys(_spans(rule_history.moments(history), targets), targets, history))
    if not spans:
        return ClearValues()
    oldest = min(span.since for span in spans) or "-infinity"
    row = conn.execute(_BOUNDARY, {"oldest": oldest, "limit": limit}).fetchone() if limit else None
    parameters = {"spans": Jsonb([span.row() for span in spans]), "since": row[0] if row else oldest}
    rows = conn.execute(resources.sql_text("queries/clear_value.sql").encode(), parameters)
    return ClearValues(tuple(ClearTarget(*values) for values in rows), row[0] if row else None)


def _spans(changes: Iterable[Moment], targets: Iterable[str]) -> Iterator[Span]:
    """Yield for each target the times in which rules hid some of its columns."""
    for target, since, until, columns in rule_history.periods(changes, targets, _hidden):
        yield Span(target, _text(since), _END if until is None else _text(until), *columns)


def _hidden(name: Pattern, rules: Mapping[str, rule_history.Row]) -> Hidden | None:
    stated = rule_history.statement(name, rules)
    return (stated.exclude, stated.mask) if stated and (stated.exclude or stated.mask) else None


def _with_keys(spans: Iterable[Span], targets: Mapping[str, Sequence[str]], history: Sequence[Any]) -> Iterator[Span]:
    """Yield the spans, divided where the key of a target changed, each with the hidden columns of its key."""
    keys = {target: list(_keys(target, key, history)) for target, key in targets.items()}
    for span in spans:
        for since, until, key in keys[span.target]:
            start, end = max(since, span.since), min(until, span.until)
            if start < end:
                hidden = tuple(column for column in key if column in (*span.exclude, *span.mask))
                yield Span(span.target, start, end, span.exclude, span.mask, hidden)


def _keys(target: str, present: Sequence[str], history: Sequence[Any]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield what is known of a target's key: since, until, columns; none for a time of which nothing is known.

    The guard records each change. Without one, the key counts from the last time that capture was installed.
    """
    changes = [
        (_text(event.occurred_at), change["was"] or (), change["key"] or ())
        for event in history
        if event.subject == own_events.DDL and event.name == target
        for change in own_events.changes(event)
        if "key" in change
    ]
    if not changes:
        installed = [_text(e.occurred_at) for e in history if e.subject == own_events.CAPTURE and e.name == target]
        since = installed[-1] if installed else ""
        yield "", since, ()
        yield since, _END, present
        return
    before, key = "", changes[0][1]
    for at, _, now in changes:
        yield before, at, key
        before, key = at, now
    yield before, _END, key if list(key) == list(present) else ()


def _text(at: datetime) -> str:
    """Return a time so that texts are ordered as times are."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
