"""Compares the revision of a database's store with that of this tool, which works with no other.

Source: the relation auditctl.alembic_version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditctl import resources
from auditctl.errors import NoStoreError, PlaceError, StoreError
from auditctl.names import OWN_SCHEMAS, STORE_REVISION

if TYPE_CHECKING:
    import psycopg

UNRELEASED = (
    "schema audit holds the store of an auditctl that was never released, which cannot be upgraded",
    "Export its log with the auditctl that made it; drop the event triggers auditctl_guard_ddl and "
    "auditctl_guard_drop, then with cascade the schemas audit and audit_triggers; then run: auditctl install",
)
"""Message and hint about a store of that kind."""


def read(conn: psycopg.Connection[Any]) -> str | None:
    """Return the revision of the installed store, or None where there is none (relation auditctl.alembic_version)."""
    if conn.execute("select to_regclass('auditctl.alembic_version')").fetchone() == (None,):
        return None
    row = conn.execute("select max(version_num) from auditctl.alembic_version").fetchone()
    if row is None or row[0] is None:
        raise PlaceError(
            f"the store in database {conn.info.dbname} was restored without its rows",
            hint="Make it sound here with: auditctl adopt",
        )
    revision: str = row[0]
    return revision


def require(conn: psycopg.Connection[Any]) -> None:
    """Raise `StoreError` unless the store is there in the version this tool works with."""
    revision = read(conn)
    where = f"database {conn.info.dbname}"
    if revision is None:
        refuse_unreleased(conn)
        raise NoStoreError(f"{where} has no auditctl store", hint="Run: auditctl install")
    if revision < STORE_REVISION:
        raise StoreError(
            f"the store in {where} has revision {revision}, older than this auditctl's {STORE_REVISION}",
            hint="Run: auditctl install",
        )
    if revision > STORE_REVISION:
        raise StoreError(
            f"the store in {where} has revision {revision}, newer than this auditctl's {STORE_REVISION}",
            hint="Upgrade auditctl: pip install --upgrade auditctl",
        )


def require_remains(conn: psycopg.Connection[Any]) -> None:
    """Raise `NoStoreError` where not even a schema of the store is left, whatever else somebody did to it."""
    query = "select exists (select from pg_catalog.pg_namespace as n where n.nspname = any (%s))"
    if conn.execute(query, [list(OWN_SCHEMAS)]).fetchone() == (False,):
        require(conn)


def refuse_unreleased(conn: psycopg.Connection[Any]) -> None:
    """Raise `StoreError` where there is a store in schema audit, as auditctl made it before its first release."""
    if conn.execute(resources.sql_text("queries/unreleased_store.sql").encode()).fetchone() == (True,):
        raise StoreError(UNRELEASED[0], hint=UNRELEASED[1])
