"""Translates filters on what was recorded of an event: values, reason and context. No index leads to these events.

Of one key or column, one of the values has to be there; of several, a value of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl.log.filter_values import ColumnValue
from auditctl.log.predicates import Predicate
from auditctl.log.sql_lists import any_of, literals


def column(values: Sequence[str]) -> Predicate:
    """An update that changed one of the columns."""
    return Predicate(SQL("(action = 'UPDATE' and new_values ?| array[{}])").format(literals(values)))


def recorded(name: str) -> Predicate:
    """With this column, or a value of this name."""
    return Predicate(SQL("(new_values ? {0} or old_values ? {0})").format(Literal(name)))


def reason(values: Sequence[str]) -> Predicate:
    """With this text in its reason, in upper or lower case."""
    (text,) = values
    return Predicate(SQL("pg_catalog.strpos(pg_catalog.lower(reason), pg_catalog.lower({})) > 0").format(Literal(text)))


def context(values: Sequence[tuple[str, str]]) -> Predicate:
    """With one of the values of each key in its context."""
    return _each(
        (name, SQL("context ->> {} = {}").format(Literal(name), Literal(value)))
        for name, value in dict.fromkeys(values)
    )


def was(values: Sequence[ColumnValue]) -> Predicate:
    """With one of the values of each column before."""
    return _each((value.column, _has(value, "old_values")) for value in values)


def became(values: Sequence[ColumnValue]) -> Predicate:
    """With one of the values of each column after."""
    return _each((value.column, _has(value, "new_values")) for value in values)


def changed(values: Sequence[ColumnValue]) -> Predicate:
    """With one of the values of each column before or after."""
    return _each((value.column, _has(value, side)) for value in values for side in ("old_values", "new_values"))


def _has(value: ColumnValue, side: LiteralString) -> Composable:
    return SQL("{} -> {} in ({})").format(
        SQL(side),
        Literal(value.column),
        SQL(", ").join(SQL("{}::jsonb").format(Literal(document)) for document in value.documents),
    )


def _each(conditions: Iterable[tuple[str, Composable]]) -> Predicate:
    """Require, for each name, at least one of its conditions."""
    by_name: dict[str, list[Composable]] = {}
    for name, condition in conditions:
        by_name.setdefault(name, []).append(condition)
    return Predicate(SQL(" and ").join(some[0] if len(some) == 1 else any_of(some) for some in by_name.values()))
