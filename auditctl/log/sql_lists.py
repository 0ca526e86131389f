"""Joins conditions and texts into SQL."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.sql import SQL, Composable, Literal


def any_of(conditions: Sequence[Composable]) -> Composable:
    """Return the SQL that is true where one of the conditions is; there is at least one."""
    return SQL("({})").format(SQL(" or ").join(conditions))


def literals(values: Sequence[str]) -> Composable:
    """Return texts as a list for SQL."""
    return SQL(", ").join(Literal(value) for value in values)
