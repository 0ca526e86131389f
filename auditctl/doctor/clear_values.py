"""Finds events that hold in the clear what a rule excluded or masked when they were written.

The log has every change of a rule, so it says itself what each rule hid at which time. Reads only; the times are pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from auditctl import resources, table_names
from auditctl.capture import precedence
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
class Moment:
    """A change of rules that was recorded.

    Attributes:
        at: When, at the end of its transaction.
        former_name: The rule's name before; None for a new rule.
        row: The rule's row of auditctl.rule from then on; None if it was removed.
    """

    at: datetime
    former_name: str | None
    row: Mapping[str, Any] | None

    def concerns(self, name: Pattern) -> bool:
        """Whether the rule may be that of a table."""
        names = (self.former_name, self.row and self.row["name"])
        return any(_matches(rule_name, name) for rule_name in names if rule_name)


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
    cursor = conn.cursor(row_factory=namedtuple_row)
    history = cursor.execute(resources.sql_text("queries/rule_history.sql").encode()).fetchall()
    targets: dict[str, Sequence[str]] = dict(conn.execute("select target, key_columns from auditctl.target").fetchall())
    if limits is not None:
        targets = {target: key for target, key in targets.items() if limits.includes(target)}
    spans = list(_with_keys(_spans(_moments(history), targets), targets, history))
    if not spans:
        return ClearValues()
    oldest = min(span.since for span in spans) or "-infinity"
    row = conn.execute(_BOUNDARY, {"oldest": oldest, "limit": limit}).fetchone() if limit else None
    parameters = {"spans": Jsonb([span.row() for span in spans]), "since": row[0] if row else oldest}
    rows = conn.execute(resources.sql_text("queries/clear_value.sql").encode(), parameters)
    return ClearValues(tuple(ClearTarget(*values) for values in rows), row[0] if row else None)


def _moments(history: Iterable[Any]) -> Iterator[Moment]:
    """Yield the changes of rules; a transaction's changes count from the last that is recorded of it."""
    for _, group in itertools.groupby(history, key=lambda event: event.xact):
        events = list(group)
        at = events[-1].occurred_at
        for event in events:
            if event.subject == "auditctl.rule":
                yield Moment(at, event.before and event.before["name"], event.after)


def _spans(moments: Iterable[Moment], targets: Iterable[str]) -> Iterator[Span]:
    """Yield for each target the times in which rules hid some of its columns."""
    rules: dict[str, Mapping[str, Any]] = {}
    begun: dict[str, tuple[datetime, Hidden]] = {}
    names = [table_names.parse(target) for target in targets]
    for moment in moments:
        if moment.former_name is not None:
            rules.pop(moment.former_name, None)
        if moment.row is not None:
            rules[moment.row["name"]] = moment.row
        for name in filter(moment.concerns, names):
            target, hidden = str(name), _hidden(name, rules)
            if target in begun and begun[target][1] != hidden:
                since, before = begun.pop(target)
                yield Span(target, _text(since), _text(moment.at), *before)
            if any(hidden):
                begun.setdefault(target, (moment.at, hidden))
    for target, (since, hidden) in begun.items():
        yield Span(target, _text(since), _END, *hidden)


def _hidden(name: Pattern, rules: Mapping[str, Mapping[str, Any]]) -> Hidden:
    """Return what the rule of a table hides: its own, or else the first glob that matches; see `precedence`."""
    own = rules.get(str(name))
    ordered = sorted(rules.values(), key=lambda row: (row["position"], row["name"]))
    globs = (row for row in ordered if table_names.parse(row["name"]).is_glob and _matches(row["name"], name))
    matching = [*([own] if own else []), *globs]
    if not matching or not matching[0]["actions"]:
        return (), ()
    exclude, mask = precedence.hidden((_names(row["exclude"]), _names(row["mask"])) for row in matching)
    return exclude or (), mask or ()


def _names(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _matches(rule_name: str, name: Pattern) -> bool:
    """Whether a rule's name, which may be a glob, matches that of a table."""
    return name.schema is not None and table_names.parse(rule_name).matches(name.schema.text, name.table.text)


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
        if event.subject == "auditctl.ddl" and event.name == target
        for change in event.after["changes"]
        if "key" in change
    ]
    if not changes:
        installed = [_text(e.occurred_at) for e in history if e.subject == "auditctl.capture" and e.name == target]
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
