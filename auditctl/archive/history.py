"""The history of one object over an archive, alone or together with the log: what auditctl.history finds in one table.

Decides which events belong to it, by what happened to its keys in both places.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf, isinf
from typing import TYPE_CHECKING, TypeVar

from psycopg.sql import SQL, Composable, Literal

from auditctl import resources
from auditctl.archive import everywhere, object_periods
from auditctl.archive.everywhere import MergedPage
from auditctl.archive.object_periods import End, KeyChange, NamePeriod, Period, RenameAt, Time
from auditctl.archive.pages import position_of
from auditctl.archive.search import ArchiveSelection, Search
from auditctl.archive.texts import ArchivedEvent
from auditctl.database import Connection
from auditctl.log import archive_predicates
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.event_texts import Project
from auditctl.log.formats import raw_json
from auditctl.log.selection import Cursor, Order, Selection

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, Table

PREVIOUS = "previous_target_id"
"""The key of the context with the key before an update that changed it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS = ("DELETE", "TRUNCATE")

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Life:
    """What belongs to the history of an object.

    Attributes:
        named: The names of its table.
        periods: Its keys.
    """

    named: tuple[NamePeriod, ...]
    periods: tuple[Period, ...]

    def archived(self) -> ArchivePredicate:
        """Return what is true of its archived events, and of all truncates of its table."""
        return ArchivePredicate(
            lambda events: archive_predicates.any_of([
                *(_of_period(events, period) for period in self.periods),
                *(_truncates(events, name) for name in self.named),
            ]),
            accepts=lambda event: self._has(
                event["occurred_at"], event["target"], event["target_id"], event["action"], event["context"]
            ),
            columns=("occurred_at", "target", "target_id", "action", "context"),
        )  # fmt: skip

    def selection(self) -> Selection:
        """Return the same events of the table (queries/object_life.sql), oldest first."""
        source = SQL(resources.sql_text("queries/object_life.sql")).format(
            targets=Literal([period.target for period in self.periods]),
            keys=Literal([period.key for period in self.periods]),
            since=Literal([_moment(period.since) for period in self.periods]),
            until=Literal([_moment(period.until) for period in self.periods]),
            names=Literal([name.target for name in self.named]),
            names_since=Literal([_moment(name.since) for name in self.named]),
            names_until=Literal([_moment(name.until) for name in self.named]),
        )
        return Selection(order=Order.ASC, source=SQL("({}) as activity").format(source))

    def _has(self, at: int, target: str, key: str | None, action: str, context: str | None) -> bool:
        if key is None and action == "TRUNCATE":
            return any(name.target == target and name.since <= at <= name.until for name in self.named)
        keys = {key, _previous(context)}
        return any(
            period.target == target and period.key in keys and period.since <= at <= period.until
            for period in self.periods
        )


def of_archive(search: Search, target: str, spellings: Sequence[str], renames: Sequence[RenameAt]) -> Life:
    """Return the history of an object in an archive of one database.

    Args:
        search: The archive.
        target: The name of its table.
        spellings: The texts of the key.
        renames: The renames of tables.

    Raises:
        ArchiveError: A file is missing, was altered, or cannot be read.
    """
    named = object_periods.names(target, renames)
    return _life(named, spellings, lambda keys: _in_archive(search, named, keys))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of a history to read.

    Attributes:
        order: Oldest or newest first.
        after: The event after which to continue, in that order; None to start at the beginning.
        limit: The maximum number of events; None for all.
    """

    order: Order = Order.ASC
    after: Cursor | None = None
    limit: int | None = None


def page(
    conn: Connection, search: Search, life: Life, stretch: Stretch, projection: Composable, project: Project
) -> MergedPage:
    """Return a part of the history of an object in the log and its archived months, to be read within their snapshot.

    Args:
        conn: The connection.
        search: The archived months.
        life: What belongs to it.
        stretch: Which part.
        projection: The columns of each event of the table.
        project: The same columns of an archived event.
    """
    after = stretch.after
    if after is not None and stretch.order is Order.ASC:
        # With that event itself: whether a truncate belongs to the history depends on the event before it.
        after = replace(after, event_id=after.event_id - 1)

    def keep(entries: Iterable[everywhere.Entry]) -> Iterator[everywhere.Entry]:
        for entry in without_repeated_ends(entries, lambda entry: entry[1], stretch.order):
            if stretch.after is None or entry[0] != position_of(stretch.after)[:2]:
                yield entry

    selection = replace(life.selection(), order=stretch.order, after=after, limit=stretch.limit)
    return MergedPage(conn, selection, (life.archived(),), projection, search, project, keep=keep)


def of_log(conn: Connection, search: Search, target: str, key: str) -> Life:
    """Return the history of an object in the log and its archived months, within `everywhere.snapshot`.

    Raises:
        ArchiveError: A file is missing, was altered, or cannot be read.
        DatabaseError: The login may not read the log.
    """
    query = "select target, since, until from auditctl.target_names(%s)"
    named = [
        NamePeriod(name, _time(since), _time(until))
        for name, since, until in conn.execute(_IN_MICROSECONDS.format(query).encode(), [target])
    ]
    spellings = [text for (text,) in conn.execute("select auditctl.key_spellings(%s, %s)", [target, key])]

    def fetch(keys: Sequence[str]) -> tuple[Iterable[KeyChange], Iterable[End]]:
        changes, ends = _in_table(conn, named, keys)
        more_changes, more_ends = _in_archive(search, named, keys)
        return [*changes, *more_changes], [*ends, *more_ends]

    return _life(named, spellings, fetch)


def renames_of(found: Iterable[tuple[str, str, str]]) -> list[RenameAt]:
    """Return renames, given their times in ISO 8601, old and new names."""
    return [
        RenameAt((datetime.fromisoformat(at) - _EPOCH) // timedelta(microseconds=1), *names) for at, *names in found
    ]


def without_repeated_ends(entries: Iterable[Entry], action_of: Callable[[Entry], str], order: Order) -> Iterator[Entry]:
    """Yield the entries of a history, without truncates of a table that did not have the object then.

    Args:
        entries: Its events and all truncates of its table, in order.
        action_of: Returns the action of an entry.
        order: Their order.
    """
    if order is Order.DESC:
        held: Entry | None = None
        for entry in entries:
            is_truncate = action_of(entry) == "TRUNCATE"
            if held is not None and action_of(entry) not in _ENDS:
                yield held
            held = entry if is_truncate else None
            if not is_truncate:
                yield entry
        return
    before = ""
    for entry in entries:
        action = action_of(entry)
        if action != "TRUNCATE" or (before and before not in _ENDS):
            yield entry
        before = action if before or action != "TRUNCATE" else ""


def _life(named: Sequence[NamePeriod], spellings: Sequence[str], fetch: object_periods.Fetch) -> Life:
    return Life(tuple(named), tuple(object_periods.periods(named, spellings, fetch)))


def _in_archive(search: Search, named: Sequence[NamePeriod], keys: Sequence[str]) -> tuple[list[KeyChange], list[End]]:
    targets = list(dict.fromkeys(name.target for name in named))

    def condition(events: Table) -> BooleanValue:
        is_end = events.action.isin(["CREATE", "DELETE"]) & events.target_id.isin(list(keys))
        return events.target.isin(targets) & (
            is_end
            | (
                events.context.contains(f'"{PREVIOUS}"')
                & (
                    events.target_id.isin(list(keys))
                    | archive_predicates.any_of(_came_from(events, key) for key in keys)
                )
            )
        )

    changes, ends = [], []
    for event in search.events(ArchiveSelection((ArchivePredicate(condition),), Order.ASC)):
        values, at = event.values, event.position[0]
        if values["action"] in ("CREATE", "DELETE") and values["target_id"] in keys:
            ends.append(End(at, values["target"], values["target_id"], values["action"] == "DELETE"))
        if raw_json.has_member(values["context"], PREVIOUS):
            changes.append(KeyChange(at, values["target"], _previous(values["context"]), values["target_id"]))
    return changes, ends


def _in_table(conn: Connection, named: Sequence[NamePeriod], keys: Sequence[str]) -> tuple[list[KeyChange], list[End]]:
    """Read queries/object_key_change.sql and queries/object_end.sql."""
    parameters = {"targets": [name.target for name in named], "keys": list(keys)}
    changes = conn.execute(resources.sql_text("queries/object_key_change.sql").encode(), parameters).fetchall()
    ends = conn.execute(resources.sql_text("queries/object_end.sql").encode(), parameters).fetchall()
    return [KeyChange(int(at), *rest) for at, *rest in changes], [End(int(at), *rest) for at, *rest in ends]


_IN_MICROSECONDS = (
    "select target, extract(epoch from since) * 1000000, extract(epoch from until) * 1000000 from ({}) as name"
)


def _time(number: object) -> Time:
    value = float(str(number))
    return value if isinf(value) else int(str(number).partition(".")[0])


def _moment(time: Time) -> str:
    if isinf(time):
        return "infinity" if time == inf else "-infinity"
    return (_EPOCH + timedelta(microseconds=int(time))).isoformat()


def _previous(context: str | None) -> str | None:
    return raw_json.member(context, PREVIOUS) if context is not None and PREVIOUS in context else None


def _of_period(events: Table, period: Period) -> BooleanValue:
    is_own = (events.target_id == period.key) | _came_from(events, period.key)
    return (events.target == period.target) & is_own.fill_null(False) & _between(events, period.since, period.until)


def _truncates(events: Table, name: NamePeriod) -> BooleanValue:
    is_truncate = (events.action == "TRUNCATE") & events.target_id.isnull() & (events.target == name.target)
    return is_truncate & _between(events, name.since, name.until)


def _came_from(events: Table, key: str) -> BooleanValue:
    """Return what is true of each update that gave up a key; of others, whose context has such a text deeper, too."""
    return events.context.contains(f'"{PREVIOUS}": {json.dumps(key, ensure_ascii=False)}').fill_null(False)


def _between(events: Table, since: Time, until: Time) -> BooleanValue:
    import ibis

    condition = events.event_id.notnull()
    if not isinf(since):
        condition &= events.occurred_at >= ibis.literal(_EPOCH + timedelta(microseconds=int(since)))
    if not isinf(until):
        condition &= events.occurred_at <= ibis.literal(_EPOCH + timedelta(microseconds=int(until)))
    return condition


def action_of(event: ArchivedEvent) -> str:
    """Return the action of an archived event."""
    return event.texts["action"] or ""
