"""Finds out whether the store is where it was installed; elsewhere, it has to be adopted before capture may change."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from auditctl import resources
from auditctl.errors import DatabaseError, PlaceError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

ADOPT = "auditctl adopt"
"""What makes a restored or copied store sound."""


def displacement(conn: psycopg.Connection[Any]) -> str | None:
    """Return what happened to a store that is not in its place (queries/doctor/place.sql).

    Calls nothing in the database: what a restore made of the store's functions is not known.

    Returns:
        A phrase such as `was restored from a dump`; None where the store is in its place.

    Raises:
        DatabaseError: The login may not read auditctl.place.
    """
    if conn.execute("select pg_catalog.to_regclass('auditctl.place')").fetchone() == (None,):
        return "was restored without the table auditctl.place"
    row = conn.execute(resources.sql_text("queries/doctor/place.sql").encode()).fetchone()
    return None if row is None else row[1]


def require(conn: psycopg.Connection[Any]) -> None:
    """Raise `PlaceError` unless the store is where it was installed or adopted."""
    phrase = displacement(conn)
    if phrase is not None:
        raise PlaceError(f"the store in database {conn.info.dbname} {phrase}", hint=f"Make it sound here with: {ADOPT}")


@contextmanager
def explaining(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Raise `PlaceError` for an error about changed code or a missing role, which a restore may have caused."""
    try:
        yield
    except (StoreError, DatabaseError) as error:
        is_explained = isinstance(error, StoreError) or error.sqlstate == psycopg.errors.UndefinedObject.sqlstate
        if is_explained and not conn.closed:
            require(conn)
        raise
