"""Translates values of filters into conditions on archived events, for every engine that Ibis compiles to.

An engine decides what it can decide exactly. Where it cannot, as with the values in JSON, it finds the events that may
match, by a condition on the text of the JSON, and Python decides about these. The files have the columns of
auditctl.archive.columns. No engine is asked for its JSON functions: they differ in numbers, depth and size.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial, reduce
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

from auditctl.log.filter_values import Transaction, User
from auditctl.log.keys import Key

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, Column, Table

Expression = Callable[["Table"], "BooleanValue"]
"""Turns a table of archived events into a condition on them."""

Accepts = Callable[[Mapping[str, Any]], bool]
"""Decides about an event, given its columns by name: texts as str, times in microseconds since 1970, as the year may be
one that datetime does not have."""

FLAT = r"^\{[^{\[]*$"
"""Matches the text of an object without objects, arrays or such characters in it: each key is one of its own."""


@dataclass(frozen=True, slots=True)
class ArchivePredicate:
    """A condition on archived events.

    Attributes:
        expression: True of each event that satisfies it; of others only where `accepts` is asked.
        certain: Where `expression` is true, true only of events that satisfy it, and never null: `accepts` need not be
            asked about these. None where no engine can tell.
        accepts: Decides about an event of which `expression` is true; None if `expression` is exact.
        columns: The columns that `accepts` reads.
        since: All these events were captured at this time or later; None without such a limit.
        until: All these events were captured before this time; None without such a limit.
        alternatives: Conditions of which each such event satisfies one, where `expression` joins conditions on several
            columns: an engine that skips what has no event of one of them may read everything for all. Empty for none.
    """

    expression: Expression
    certain: Expression | None = None
    accepts: Accepts | None = None
    columns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    alternatives: tuple[Expression, ...] = ()


def conjunction(predicates: Sequence[ArchivePredicate]) -> ArchivePredicate:
    """Return the predicate that is true where all predicates are; of every event without any."""
    asked = [predicate for predicate in predicates if predicate.accepts is not None]
    starts = [predicate.since for predicate in predicates if predicate.since is not None]
    ends = [predicate.until for predicate in predicates if predicate.until is not None]
    return ArchivePredicate(
        lambda events: all_of([predicate.expression(events) for predicate in predicates] or [anything(events)]),
        certain=_all_certain(asked),
        accepts=(lambda event: all(one.accepts(event) for one in asked if one.accepts)) if asked else None,
        columns=tuple(dict.fromkeys(column for predicate in asked for column in predicate.columns)),
        since=max(starts, default=None),
        until=min(ends, default=None),
    )


def _all_certain(predicates: Sequence[ArchivePredicate]) -> Expression | None:
    some = [predicate.certain for predicate in predicates if predicate.certain is not None]
    if not some or len(some) < len(predicates):
        return None
    return lambda events: all_of([certain(events) for certain in some]).fill_null(False)


def anything(events: Table) -> BooleanValue:
    """Return what is true of every event."""
    return events.event_id.notnull()


def nothing(events: Table) -> BooleanValue:
    """Return what is true of no event."""
    return events.event_id.isnull()


def all_of(conditions: Iterable[BooleanValue]) -> BooleanValue:
    """Return what is true where all conditions are; there is at least one."""
    return reduce(operator.and_, conditions)


def any_of(conditions: Iterable[BooleanValue]) -> BooleanValue:
    """Return what is true where one of the conditions is; there is at least one."""
    return reduce(operator.or_, conditions)


def one_of(column: Column, values: Sequence[str]) -> BooleanValue:
    """Return what is true where a column has one of the values, of which there is at least one."""
    return column == values[0] if len(values) == 1 else column.isin(list(values))


def target(values: Sequence[str]) -> ArchivePredicate:
    """About one of the tables with these registered names; about none without names."""
    return ArchivePredicate(lambda events: one_of(events.target, values) if values else nothing(events))


def key(values: Sequence[Key]) -> ArchivePredicate:
    """About a row with one of those keys, in each of the spellings of its targets."""
    everywhere: list[str] = []
    by_targets: dict[tuple[str, ...], list[str]] = {}
    for value in values:
        # Files are not sorted by target, so that a target helps only where it decides about the spelling.
        is_same = len({tuple(group.spellings) for group in value.groups}) <= 1
        for group in value.groups:
            by_target = value.of_any and not is_same
            place = by_targets.setdefault(tuple(group.targets), []) if by_target else everywhere
            place.extend(text for text in group.spellings if text not in place)
        if not value.groups:
            everywhere.append(value.text)

    def expression(events: Table) -> BooleanValue:
        return any_of([
            *([one_of(events.target_id, everywhere)] if everywhere else []),
            *(one_of(events.target, names) & one_of(events.target_id, texts) for names, texts in by_targets.items()),
        ])  # fmt: skip

    return ArchivePredicate(expression)


def user(values: Sequence[User]) -> ArchivePredicate:
    """By one of those actors, or through one of those logins; by the system, where the event has no actor."""
    alternatives = tuple(one for value in values for one in _by(value))
    return ArchivePredicate(
        lambda events: any_of(is_by(events) for is_by in alternatives),
        alternatives=alternatives if len(alternatives) > 1 else (),
    )


def not_user(values: Sequence[User]) -> ArchivePredicate:
    """Neither by one of those actors nor through one of those logins."""
    # An event of the system has no actor, so that a comparison with one is null.
    alternatives = [one for value in values for one in _by(value)]
    return ArchivePredicate(lambda events: ~any_of(is_by(events) for is_by in alternatives).fill_null(False))


def _by(value: User) -> Iterator[Expression]:
    """Yield conditions of which the events of a user satisfy one, each on a column of its own."""
    if value.name is None:
        yield lambda events: events.actor.isnull()
        return
    for name in value.names:
        if value.as_actor:
            yield partial(_is_actor, name, value.kind)
        if value.as_login:
            yield partial(_is_login, name)


def _is_actor(name: str, kind: str | None, events: Table) -> BooleanValue:
    is_actor = events.actor == name
    return is_actor if kind is None else is_actor & _kind(events, kind)


def _is_login(name: str, events: Table) -> BooleanValue:
    return events.db_user == name


def kind(values: Sequence[str]) -> ArchivePredicate:
    """By a user of one of the kinds."""
    return ArchivePredicate(lambda events: any_of(_kind(events, value) for value in values))


def _kind(events: Table, value: str) -> BooleanValue:
    is_kind = events.actor_kind == value
    return is_kind & events.actor.isnull() if value == "system" else is_kind


def network(values: Sequence[IPv4Network | IPv6Network]) -> ArchivePredicate:
    """From an address in that network; for a single address, whatever prefix was stored with it."""
    value = values[0]
    family = bytes((value.version,))
    first = family + value.network_address.packed + b"\x00"
    last = family + value.broadcast_address.packed + b"\xff"

    def expression(events: Table) -> BooleanValue:
        between = events.ip_sort.between(first, last)
        if value.prefixlen in (0, value.max_prefixlen):
            return between
        # A recorded network that has this one in it begins with the same bits.
        wider = "|".join(map(str, range(value.prefixlen)))
        return between & ~events.ip.re_search(f"/({wider})$")

    return ArchivePredicate(expression)


def xact(values: Sequence[Transaction]) -> ArchivePredicate:
    """Made by that transaction, of its cluster."""
    value = values[0]
    signed = value.number - 2**64 if value.number >= 2**63 else value.number

    def expression(events: Table) -> BooleanValue:
        return all_of([
            events.xact_id == signed,
            *([events.event_id >= value.first] if value.first is not None else []),
            *([events.event_id < value.end] if value.end is not None else []),
        ])  # fmt: skip

    return ArchivePredicate(expression)
