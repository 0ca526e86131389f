"""What a filter's values mean in SQL, over the columns of view audit.activity.

Indexed columns are compared plainly, so that the index is used. Values are quoted by psycopg.sql alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed, Literal

from auditctl.log.times import Ago, At
from auditctl.log.values import Key, User
from auditctl.model import Action

NOTHING = SQL("false")


def since(values: Sequence[Ago | At]) -> Composable:
    """Captured at that time or later."""
    return SQL("created_on >= {}").format(_moment(values[0]))


def until(values: Sequence[Ago | At]) -> Composable:
    """Captured before that time."""
    return SQL("created_on < {}").format(_moment(values[0]))


def target(values: Sequence[str]) -> Composable:
    """About one of the tables, whose registered names these are."""
    return _one_of("target_name", values) if values else NOTHING


def key(values: Sequence[Key]) -> Composable:
    """About the row of that key; a JSON array is found in whatever spelling."""
    wanted = values[0]
    if not wanted.is_array:
        return _one_of("target_id", [wanted.text])
    return SQL("target_id in ({}, {}::jsonb::text)").format(Literal(wanted.text), Literal(wanted.text))


def user(values: Sequence[User]) -> Composable:
    """By that actor, or through that login; by the system, which is exactly where there is no actor."""
    wanted = values[0]
    if wanted.name is None:
        return SQL("actor is null")
    columns = [name for name, counts in (("actor", wanted.as_actor), ("db_user", wanted.as_login)) if counts]
    return any_of([_one_of(column, [wanted.name]) for column in columns])


def action(values: Sequence[Action]) -> Composable:
    """Of one of the actions."""
    return _one_of("action", [str(value) for value in values])


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
