"""What a filter's values mean in SQL, over the columns of view auditctl.activity.

Indexed columns are compared plainly, so that the index is used. Values are quoted
by psycopg.sql alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed, Literal

from auditctl import resources
from auditctl.actions import Action
from auditctl.log import ways
from auditctl.log.filter_values import Key, User
from auditctl.log.times import Ago, At
from auditctl.log.ways import Part

NOTHING = SQL("false")

_RARE = (Action.DELETE, Action.TRUNCATE, Action.EVENT)
"""The actions of auditctl.event_action_target_occurred_at_idx, which holds no creations, reads and updates."""

_FEW = 4
"""So many tables are looked for one by one."""


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
    if len(values) > _FEW:
        return Part(_one_of("target_name", values), is_indexed=True)
    return ways.any_of([_target(value) for value in values])


def _target(value: str) -> Part:
    meant, summary = _one_of("target_name", [value]), _in_c("target_name", value)
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
    actor = Part(_one_of("actor", [wanted.name]), is_indexed=True)
    summary = _in_c("db_user", wanted.name)
    login = Part(_one_of("db_user", [wanted.name]), summary=summary, summarized=summary)
    return ways.any_of([part for part, counts in ((actor, wanted.as_actor), (login, wanted.as_login)) if counts])


def action(values: Sequence[Action]) -> Composable:
    """Of one of the actions."""
    return ways.any_of([_action(value) for value in dict.fromkeys(values)])


def _action(value: Action) -> Part:
    meant = _one_of("action", [str(value)])
    if value in _RARE:
        return Part(meant, is_indexed=True)
    summary = _hashed(value)
    return Part(meant, summary=summary, summarized=all_of([meant, summary]))


def _hashed(action: Action) -> Composable:
    return SQL("pg_catalog.hashenum(action) = pg_catalog.hashenum({}::auditctl.action)").format(Literal(str(action)))


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
