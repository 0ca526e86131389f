"""Translates values of filters into SQL over view auditctl.activity, with hints on how to find the events.

Values are quoted by psycopg.sql alone. Indexed columns are compared plainly, so that their index is used.

The log has a summary of its blocks (index auditctl.event_summary_idx): which logins, tables, actions, transactions,
kinds of users and addresses occur in each range of 128 blocks. It shows at once that nothing is there; where something
is, it leads to thousands of events for each match, and the planner does not know that. So the summary is asked by
conditions that no other index answers: the same comparison in the collation "C", of a hash, or of another type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed, Literal

from auditctl.actions import Action
from auditctl.log.filter_values import Transaction, User
from auditctl.log.keys import Key
from auditctl.log.snapshot import Snapshot
from auditctl.log.sql_lists import any_of, literals
from auditctl.log.week import WeekHours

_RARE_ACTIONS = (Action.DELETE, Action.TRUNCATE, Action.EVENT)
"""The actions in auditctl.event_action_target_occurred_at_idx, which leaves out CREATE, READ and UPDATE."""

MAX_SEPARATE_TARGETS, MAX_SEPARATE_LOGINS, MAX_SEPARATE_TRANSACTIONS = 4, 4, 32
"""Up to this many tables, logins or running transactions the summary is asked about each one."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on events, and hints on how to find the events that satisfy it.

    Attributes:
        sql: The condition, over the columns of view auditctl.activity.
        is_time: Whether it is a range of time, as the windows of the search are.
        is_indexed: Whether an index leads to these events and no others.
        summary: A condition that the summary answers and that is true of each of these events; None without one.
        is_summary_exact: Whether `summary` means the same as `sql`.
        alternatives: The predicates of which at least one is true; empty unless this is a disjunction.
        by_index: A condition that is true of each of these events, for indexes of some months only; None without one.
        hours: The hours of the week in which all of these events are; None without such a limit.
    """

    sql: Composable
    is_time: bool = False
    is_indexed: bool = False
    summary: Composable | None = None
    is_summary_exact: bool = False
    alternatives: tuple[Predicate, ...] = ()
    by_index: Composable | None = None
    hours: WeekHours | None = None

    @property
    def sql_by_summary(self) -> Composable:
        """The same condition, written so that the summary, or a month's own index, leads to the events if it can."""
        if self.alternatives:
            return any_of([alternative.sql_by_summary for alternative in self.alternatives])
        if self.by_index is not None:
            return SQL("{} and {}").format(self.sql, self.by_index)
        if self.summary is None:
            return self.sql
        return self.summary if self.is_summary_exact else SQL("{} and {}").format(self.sql, self.summary)


def conjunction(predicates: Sequence[Predicate]) -> Composable:
    """Return the SQL that is true where all predicates are; `true` without any."""
    return SQL(" and ").join(predicate.sql for predicate in predicates) if predicates else SQL("true")


def disjunction(alternatives: Sequence[Predicate]) -> Predicate:
    """Return the predicate that is true where one of the alternatives is; there is at least one."""
    if len(alternatives) == 1:
        return alternatives[0]
    return Predicate(
        any_of([alternative.sql for alternative in alternatives]),
        is_indexed=all(alternative.is_indexed for alternative in alternatives),
        alternatives=tuple(alternatives),
    )


def prefer_summary(predicates: Sequence[Predicate]) -> tuple[Predicate, ...]:
    """Return the predicates written so that the summary leads to the events, unless several have a better index."""
    if sum(not predicate.is_time for predicate in predicates) > 1 and any(some.is_indexed for some in predicates):
        return tuple(predicates)
    return tuple(replace(predicate, sql=predicate.sql_by_summary) for predicate in predicates)


def target(values: Sequence[str]) -> Predicate:
    """About one of the tables with these registered names; about none without names."""
    if not values:
        return Predicate(SQL("false"))
    if len(values) > MAX_SEPARATE_TARGETS:
        return Predicate(_in("target_name", values), is_indexed=True)
    return disjunction([_target(value) for value in values])


def _target(value: str) -> Predicate:
    return Predicate(_in("target_name", [value]), is_indexed=True, summary=_equal_in_c("target_name", value))


def key(values: Sequence[Key]) -> Predicate:
    """About a row with one of those keys, in each of the spellings that the log has."""
    if all(len(value.groups) == 1 and not value.of_any for value in values):
        return _spelled([text for value in values for text in value.groups[0].spellings])
    by_targets: dict[tuple[str, ...], list[str]] = {}
    for group in (group for value in values for group in value.groups):
        by_targets.setdefault(tuple(group.targets), []).extend(group.spellings)
    # The targets are true of every event. The index needs them to find the key, because it begins with the target.
    return disjunction([
        Predicate(SQL("({} and {})").format(_in("target_name", targets), _spelled(texts).sql), is_indexed=True)
        for targets, texts in by_targets.items()
    ] or [Predicate(_in("target_id", [value.text for value in values]))])  # fmt: skip


def _spelled(texts: Sequence[str]) -> Predicate:
    return Predicate(_in("target_id", list(dict.fromkeys(texts))), is_indexed=True)


def row(target_name: str, target_id: str) -> Predicate:
    """About the row with exactly that key, as the log has it."""
    condition = SQL("({} and {})").format(_in("target_name", [target_name]), _in("target_id", [target_id]))
    return Predicate(condition, is_indexed=True)


def user(values: Sequence[User]) -> Predicate:
    """By one of those actors, or through one of those logins; by the system, where the event has no actor."""
    kinds = dict.fromkeys(value.kind for value in values if value.as_actor and value.name is not None)
    logins = _names(value for value in values if value.as_login)
    return disjunction([
        *([Predicate(SQL("actor is null"), is_indexed=True)] if any(value.name is None for value in values) else []),
        *(_actor(kind, _names(value for value in values if value.as_actor and value.kind == kind)) for kind in kinds),
        *([Predicate(_in("db_user", logins))] if len(logins) > MAX_SEPARATE_LOGINS else map(_login, logins)),
    ])  # fmt: skip


def not_user(values: Sequence[User]) -> Predicate:
    """Neither by one of those actors nor through one of those logins."""
    # An event of the system has no actor, so that a comparison with one is null.
    return Predicate(SQL("({}) is not true").format(user(values).sql))


def _names(values: Iterable[User]) -> list[str]:
    return list(dict.fromkeys(name for value in values for name in value.names))


def _actor(kind: str | None, names: Sequence[str]) -> Predicate:
    actor = Predicate(_in("actor", names), is_indexed=True)
    if kind is None:
        return actor
    of_kind = _kind(kind)
    return replace(actor, sql=SQL("({} and {})").format(actor.sql, of_kind.sql), summary=of_kind.summary)


def _login(name: str) -> Predicate:
    return Predicate(_in("db_user", [name]), summary=_equal_in_c("db_user", name), is_summary_exact=True)


def kind(values: Sequence[str]) -> Predicate:
    """By a user of one of the kinds."""
    return disjunction([_kind(value) for value in dict.fromkeys(values)])


def _kind(value: str) -> Predicate:
    sql = _in("actor_kind", [value])
    if value == "system":
        return Predicate(SQL("(actor is null and {})").format(sql), is_indexed=True)
    return Predicate(sql, summary=_equal_by_hash("actor_kind", value))


def action(values: Sequence[Action]) -> Predicate:
    """Of one of the actions."""
    return disjunction([_action(value) for value in dict.fromkeys(values)])


def _action(value: Action) -> Predicate:
    is_counted_apart = value in (Action.CREATE, Action.BASELINE)
    sql: Composable = _in("action", [str(value)])
    if is_counted_apart:
        sql = SQL("auditctl.shown_action(action, context) = {}").format(Literal(str(value)))
    if value in _RARE_ACTIONS:
        return Predicate(sql, is_indexed=True)
    stored = Action.CREATE if is_counted_apart else value
    return Predicate(sql, summary=_equal_by_hash("action", str(stored)))


def network(values: Sequence[IPv4Network | IPv6Network]) -> Predicate:
    """From an address in that network; for a single address, whatever prefix was stored with it."""
    value = values[0]
    if value.prefixlen < value.max_prefixlen:
        first, last = Literal(str(value)), Literal(str(value.broadcast_address))
        # A network sorts before the addresses in it.
        between = SQL("ip_address >= {}::inet and ip_address <= {}::inet").format(first, last)
        return Predicate(SQL("ip_address <<= {}::inet").format(first), summary=between)
    address = SQL("pg_catalog.host({}::inet)").format(Literal(str(value.network_address)))
    return Predicate(
        SQL("pg_catalog.host(ip_address) = {}").format(address),
        summary=SQL('pg_catalog.host(ip_address) collate pg_catalog."C" = {}').format(address),
        is_summary_exact=True,
    )


def xact(values: Sequence[Transaction]) -> Predicate:
    """Made by that transaction, of its cluster."""
    value = values[0]
    number = Literal(str(value.number))
    # Above 2^53 several numbers are one as float8.
    summary = SQL("xact_id::text::float8 = {}::float8").format(number)
    bounds = [
        *([SQL(" and event_id >= {}::bigint").format(Literal(value.first))] if value.first is not None else []),
        *([SQL(" and event_id < {}::bigint").format(Literal(value.end))] if value.end is not None else []),
    ]
    return Predicate(Composed([SQL("xact_id = {}::xid8").format(number), *bounds]), summary=summary)


def committed_since(snapshot: Snapshot, adoption: int | None = None) -> Predicate:
    """Made by a transaction that had not committed at that snapshot.

    Args:
        snapshot: The snapshot, which is later than the adoption.
        adoption: The event of the last adoption. Events before it may have the numbers of another cluster's
            transactions, and were all there at the snapshot, unless a transaction of this cluster was running then.
    """
    first = Literal(str(snapshot.first))
    sql = SQL("xact_id >= {}::xid8 and not pg_catalog.pg_visible_in_snapshot(xact_id, {}::pg_catalog.pg_snapshot)")
    summary = _not_ended(snapshot)
    # Exports are not searched in windows, so the summary is asked here.
    whole = SQL("{} and {}").format(summary, sql.format(first, Literal(snapshot.sql)))
    if adoption is not None:
        here = SQL("(event_id > {}::bigint or xact_id < {}::xid8)").format(
            Literal(adoption), Literal(str(snapshot.end))
        )
        whole = SQL("{} and {}").format(whole, here)
    return Predicate(SQL("({})").format(whole), summary=summary)


def committed_by(snapshot: Snapshot, adoption: int | None = None) -> Predicate:
    """Made by a transaction that had committed at that snapshot, which is one of the past.

    Args:
        snapshot: The snapshot, which is later than the adoption.
        adoption: The event of the last adoption. Events before it were all there.
    """
    sql = SQL("pg_catalog.pg_visible_in_snapshot(xact_id, {}::pg_catalog.pg_snapshot)").format(Literal(snapshot.sql))
    if adoption is not None:
        sql = SQL("(event_id <= {}::bigint or {})").format(Literal(adoption), sql)
    return Predicate(sql)


def _not_ended(snapshot: Snapshot) -> Composable:
    """Ask the summary about the transactions that had not ended; one that stays open for long costs no more thereby."""
    number = SQL("xact_id::text::float8")
    if not snapshot.running or len(snapshot.running) > MAX_SEPARATE_TRANSACTIONS:
        return SQL("{} >= {}::float8").format(number, Literal(str(snapshot.first)))
    running = SQL(", ").join(SQL("{}::float8").format(Literal(str(one))) for one in snapshot.running)
    return SQL("({0} >= {1}::float8 or {0} in ({2}))").format(number, Literal(str(snapshot.end)), running)


def _in(name: LiteralString, values: Sequence[str]) -> Composable:
    operator = SQL(" = {}") if len(values) == 1 else SQL(" in ({})")
    return Composed([SQL(name), operator.format(literals(values))])


def _equal_in_c(name: LiteralString, value: str) -> Composable:
    return SQL('{} collate pg_catalog."C" = {}').format(SQL(name), Literal(value))


def _equal_by_hash(name: LiteralString, value: str) -> Composable:
    """Compare a column with a value of the enum that has its name."""
    return SQL("pg_catalog.hashenum({0}) = pg_catalog.hashenum({1}::auditctl.{0})").format(SQL(name), Literal(value))
