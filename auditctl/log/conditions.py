"""What a filter's values mean in SQL, over the columns of view audit.activity.

Indexed columns are compared plainly, so that the index is used. Values are quoted
by psycopg.sql alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed, Literal

from auditctl import resources
from auditctl.log.times import Ago, At
from auditctl.log.values import Key, User
from auditctl.log.ways import NOTHING, Part
from auditctl.model import Action

_RARE = (Action.READ, Action.DELETE, Action.TRUNCATE, Action.EVENT)
"""The actions of audit.event_action_target_occurred_at_idx, which holds no creations and no updates."""

_FEW = 16
"""So many tables are looked for in the summary at once."""


def since(values: Sequence[Ago | At]) -> Composable:
    """Captured at that time or later."""
    return Part(SQL("created_on >= {}").format(_moment(values[0])), is_time=True)


def until(values: Sequence[Ago | At]) -> Composable:
    """Captured before that time."""
    return Part(SQL("created_on < {}").format(_moment(values[0])), is_time=True)


def target(values: Sequence[str]) -> Composable:
    """About one of the tables, whose registered names these are."""
    if not values:
        return NOTHING
    meant = _one_of("target_name", values)
    if len(values) > _FEW:
        return Part(meant, is_indexed=True)
    summary = any_of([_in_c("target_name", value) for value in values])
    return Part(meant, is_indexed=True, summary=summary, summarized=all_of([meant, summary]))


def key(values: Sequence[Key]) -> Composable:
    """About the row of that key; a JSON array is found in whatever spelling."""
    wanted = values[0]
    found = _one_of("target_id", [wanted.text])
    if wanted.is_array:
        found = SQL("target_id in ({}, {}::jsonb::text)").format(Literal(wanted.text), Literal(wanted.text))
    if not wanted.of_any:
        return Part(found, is_indexed=True)
    # True of every event, and what lets the index find the key: it begins with the target.
    names = SQL(resources.sql_text("queries/event_target.sql"))
    return Part(SQL("(target_name = any (array({})) and {})").format(names, found), is_indexed=True)


def user(values: Sequence[User]) -> Composable:
    """By that actor, or through that login; by the system, which is exactly where there is no actor."""
    wanted = values[0]
    if wanted.name is None:
        return Part(SQL("actor is null"), is_indexed=True)
    actor, login = _one_of("actor", [wanted.name]), _one_of("db_user", [wanted.name])
    summary = _in_c("db_user", wanted.name)
    if not wanted.as_login:
        return Part(actor, is_indexed=True)
    if not wanted.as_actor:
        return Part(login, summary=summary, summarized=summary)
    return Part(any_of([actor, login]), summary=summary, summarized=any_of([actor, summary]), remainder=actor)


def action(values: Sequence[Action]) -> Composable:
    """Of one of the actions."""
    meant = _one_of("action", [str(value) for value in values])
    if set(values) <= set(_RARE):
        return Part(meant, is_indexed=True)
    summary = any_of([_hashed(value) for value in values])
    return Part(meant, summary=summary, summarized=all_of([meant, summary]))


def _hashed(action: Action) -> Composable:
    return SQL("pg_catalog.hashenum(action) = pg_catalog.hashenum({}::audit.action)").format(Literal(str(action)))


def _in_c(name: LiteralString, value: str) -> Composable:
    return SQL('{} collate pg_catalog."C" = {}').format(SQL(name), Literal(value))


def column(values: Sequence[str]) -> Composable:
    """An update that changed one of the columns."""
    return SQL("(action = 'UPDATE' and new_values ?| array[{}])").format(_list(values))


def network(values: Sequence[IPv4Network | IPv6Network]) -> Composable:
    """From an address of that network; from that address, whatever prefix was stored with it."""
    wanted = values[0]
    if wanted.prefixlen < wanted.max_prefixlen:
        return SQL("ip_address <<= {}::inet").format(Literal(str(wanted)))
    return SQL("pg_catalog.host(ip_address) = pg_catalog.host({}::inet)").format(Literal(str(wanted.network_address)))


def xact(values: Sequence[int]) -> Composable:
    """Made by that transaction."""
    return SQL("xact_id = {}::xid8").format(Literal(str(values[0])))


def context(values: Sequence[tuple[str, str]]) -> Composable:
    """With all of these in its context."""
    return all_of([SQL("context ->> {} = {}").format(Literal(name), Literal(value)) for name, value in values])


def all_of(conditions: Sequence[Composable]) -> Composable:
    """Return the conjunction; true where there is none."""
    return SQL(" and ").join(conditions) if conditions else SQL("true")


def any_of(conditions: Sequence[Composable]) -> Composable:
    """Return the disjunction, in parentheses; false where there is none."""
    return SQL("({})").format(SQL(" or ").join(conditions)) if conditions else NOTHING


def _one_of(name: LiteralString, values: Sequence[str]) -> Composable:
    operator = SQL(" = {}") if len(values) == 1 else SQL(" in ({})")
    return Composed([SQL(name), operator.format(_list(values))])


def _list(values: Sequence[str]) -> Composable:
    return SQL(", ").join(Literal(value) for value in values)


def _moment(value: Ago | At) -> Composable:
    if isinstance(value, At):
        return Literal(value.moment)
    # Stable, so that the index is used and partitions are pruned as the query starts.
    seconds = Literal(int(value.duration.total_seconds()))
    return SQL("pg_catalog.statement_timestamp() - pg_catalog.make_interval(secs => {})").format(seconds)
