"""Which rule each table had at which time: replays the changes of rules that the log has.

Reads only; the times are pure. Source: queries/rule_history.sql.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from psycopg.rows import namedtuple_row

from auditctl import own_events, resources, table_names
from auditctl.capture import precedence
from auditctl.database import Connection
from auditctl.table_names import Pattern

Row = Mapping[str, Any]
"""A row of auditctl.rule, as an event has it."""

Columns = tuple[str, ...]

Value = TypeVar("Value")


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
    row: Row | None

    def concerns(self, name: Pattern) -> bool:
        """Whether the rule may be that of a table."""
        names = (self.former_name, self.row and self.row["name"])
        return any(_matches(rule_name, name) for rule_name in names if rule_name)


@dataclass(frozen=True, slots=True)
class Statement:
    """What rules state about a table.

    Attributes:
        actions: The captured actions; empty for a table that is not audited.
        exclude: The excluded columns.
        mask: The masked columns.
    """

    actions: Columns = ()
    exclude: Columns = ()
    mask: Columns = ()


def read(conn: Connection) -> list[Any]:
    """Return what is recorded about rules and keys, oldest first; the columns are those of the query."""
    cursor = conn.cursor(row_factory=namedtuple_row)
    return cursor.execute(resources.sql_text("queries/rule_history.sql").encode()).fetchall()


def moments(history: Iterable[Any]) -> Iterator[Moment]:
    """Yield the changes of rules; a transaction's changes count from the last that is recorded of it.

    Events that somebody forged are left out.
    """
    for _, group in itertools.groupby(own_events.as_recorded(history), key=lambda event: event.xact):
        events = list(group)
        at = events[-1].occurred_at
        for event in events:
            if event.subject == own_events.RULE:
                yield Moment(at, event.before and event.before["name"], event.after)


def periods(
    changes: Iterable[Moment], targets: Iterable[str], find: Callable[[Pattern, Mapping[str, Row]], Value | None]
) -> Iterator[tuple[str, datetime, datetime | None, Value]]:
    """Yield for each target what rules stated between two times: target, since, until, and what `find` makes of it.

    Args:
        changes: The changes of rules, oldest first.
        targets: The registered names.
        find: Takes a target and the rules by name; None yields no period.
    """
    rules: dict[str, Row] = {}
    begun: dict[str, tuple[datetime, Value]] = {}
    names = [table_names.parse(target) for target in targets]
    for moment in changes:
        if moment.former_name is not None:
            rules.pop(moment.former_name, None)
        if moment.row is not None:
            rules[moment.row["name"]] = moment.row
        for name in filter(moment.concerns, names):
            target, value = str(name), find(name, rules)
            if target in begun and begun[target][1] != value:
                since, before = begun.pop(target)
                yield target, since, moment.at, before
            if value is not None:
                begun.setdefault(target, (moment.at, value))
    for target, (since, value) in begun.items():
        yield target, since, None, value


def statement(name: Pattern, rules: Mapping[str, Row]) -> Statement | None:
    """Return what the rule of a table states: its own, or else the first glob that matches; None if not audited."""
    own = rules.get(str(name))
    ordered = sorted(rules.values(), key=lambda row: (row["position"], row["name"]))
    globs = (row for row in ordered if table_names.parse(row["name"]).is_glob and _matches(row["name"], name))
    matching = [*([own] if own else []), *globs]
    if not matching or not matching[0]["actions"]:
        return None
    exclude, mask = precedence.hidden((_columns(row["exclude"]), _columns(row["mask"])) for row in matching)
    return Statement(tuple(matching[0]["actions"]), exclude or (), mask or ())


def _columns(value: Sequence[str] | None) -> Columns | None:
    return None if value is None else tuple(value)


def _matches(rule_name: str, name: Pattern) -> bool:
    """Whether a rule's name, which may be a glob, matches that of a table."""
    return name.schema is not None and table_names.parse(rule_name).matches(name.schema.text, name.table.text)


def changes(conn: Connection, history: Iterable[Any]) -> Iterator[Moment]:
    """Yield the changes of rules, oldest first; of a rule whose changes were deleted, that it was set.

    Args:
        conn: The connection.
        history: What `read` returns.
    """
    found = list(moments(history))
    recorded = {moment.row["name"] for moment in found if moment.row is not None}
    for (row,) in conn.execute("select to_jsonb(r) from auditctl.rule as r order by r.set_at"):
        if own_events.is_rule(row) and row["name"] not in recorded:
            found.append(Moment(datetime.fromisoformat(row["set_at"]).astimezone(UTC), None, row))
    yield from sorted(found, key=lambda moment: moment.at)
