"""Compares the rows of audited tables with what their events add up to; and records rows that have no events.

The server compares, and reads the tables with the rights of the login that installed (sql/bootstrap/lend_rows.sql).
Sources: auditctl.reconcile_scopes, auditctl.reconcile, auditctl.record_baseline (sql/functions/55_reconcile).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg.errors import Diagnostic
from psycopg.rows import class_row

from auditctl import database, place
from auditctl.actions import Action
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, DatabaseError
from auditctl.log import target_names

PROGRESS = "UA0PR"
"""The SQLSTATE of notices that say how many events or rows have been read."""

_FETCHED = 100
"""How many findings are fetched at a time."""

_FIRST_PAGES = 16
_MAX_PAGES = 8192
_BATCH_SECONDS = 0.5
"""How long a batch of a baseline, which locks its rows, should take."""

_PAUSE = 0.05
"""How many seconds pass before rows are tried again that somebody is changing."""

ReportProgress = Callable[[str], None]
"""Takes what has been read of the table so far, such as `100000 rows`."""

ReportPages = Callable[[int, int], None]
"""Takes the pages of the table that are done, and all its pages."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared of an audited table.

    Attributes:
        target: As events carry it.
        rows: Their number by the statistics of the server.
        excluded: Columns that events never hold.
        masked: Columns of which events hold no value.
        unrecorded: Actions that the rule in force does not record: what they would have shown cannot be found.
        has_baseline: Whether each row must have events.
        obstacle: Why it cannot be compared; None if it can.
    """

    target: str
    rows: int
    excluded: list[str]
    masked: list[str]
    unrecorded: list[Action]
    has_baseline: bool
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class RowFinding:
    """A row that is not as its events say.

    Attributes:
        finding: `altered`, `vanished`, or `unknown` for a row without events.
        target: The table.
        target_id: The key; None where this stands for several rows that are not listed.
        columns: The columns that differ; None unless it is altered.
        rows: How many rows it stands for.
    """

    finding: str
    target: str
    target_id: str | None
    columns: list[str] | None
    rows: int


def scopes(conn: Connection, names: Sequence[str] = ()) -> list[Scope]:
    """Return the audited tables of these names, labels or globs, sorted by name; all without names.

    Raises:
        UsageError: No audited table is called so.
        ConfigurationError: A table that is named without a glob cannot be compared.
        DatabaseError: The login may not read the log.
    """
    with conn.cursor(row_factory=class_row(Scope)) as cursor:
        query = """
            select target, rows, excluded, masked, unrecorded::text[], has_baseline, obstacle
              from auditctl.reconcile_scopes()
        """
        audited = {scope.target: scope for scope in cursor.execute(query)}
    if not names:
        return list(audited.values())
    known = [target for target in target_names.read(conn) if target.name in audited]
    chosen: set[str] = set()
    for name in names:
        found = target_names.resolve(name, known)
        obstacle = audited[found[0]].obstacle
        if len(found) == 1 and obstacle:
            raise ConfigurationError(
                [obstacle], hint=f"State its key, for example: auditctl enable {found[0]} --key COLUMN"
            )
        chosen.update(found)
    return [scope for target, scope in audited.items() if target in chosen]


def reconcile(
    conn: Connection, scope: Scope, *, lock_timeout: str, report: ReportProgress | None = None
) -> Iterator[RowFinding]:
    """Yield the rows of a table that are not as their events say, by key; in one snapshot of table and events.

    Args:
        conn: The connection.
        scope: The table; one that can be compared.
        lock_timeout: How long to wait while DDL locks the table.
        report: Called while the server reads.

    Raises:
        DatabaseError: The login may not read the log, the login that installed may not read the table, or it was
            locked for too long.
    """
    query = "select finding, %(target)s::text as target, target_id, columns, rows from auditctl.reconcile(%(target)s)"
    with _reported(conn, report), database.transaction(conn, lock_timeout=lock_timeout):
        conn.execute("set transaction isolation level read committed")
        with conn.cursor("auditctl_reconcile", row_factory=class_row(RowFinding)) as cursor:
            cursor.itersize = _FETCHED
            yield from cursor.execute(query, {"target": scope.target})


@contextmanager
def _reported(conn: Connection, report: ReportProgress | None) -> Iterator[None]:
    def handle(diagnostic: Diagnostic) -> None:
        if report is not None and diagnostic.sqlstate == PROGRESS:
            report(diagnostic.message_primary or "")

    conn.add_notice_handler(handle)
    try:
        yield
    finally:
        conn.remove_notice_handler(handle)


def record_baseline(conn: Connection, target: str, *, lock_timeout: str, report: ReportPages | None = None) -> int:
    """Record the rows of a table that have no events; return how many.

    It goes through the table's pages in batches, each one transaction that locks its rows against writers for about
    half a second. What was recorded stays if it is interrupted; another run goes on, as it skips rows with events.

    Args:
        conn: The connection, of an administrator.
        target: As events carry it.
        lock_timeout: How long to wait for the table, and to try again where somebody is changing rows.
        report: Called after each batch.

    Raises:
        DatabaseError: The login is not an administrator of that table, it has no key, or a row was locked for too long.
        PlaceError: The store was restored or copied.
    """
    place.require(conn)
    tables = conn.execute("select relation, pages from auditctl.baseline_tables(%s)", [target]).fetchall()
    (patience,) = conn.execute("select extract(epoch from %s::interval)::float8", [lock_timeout]).fetchone() or (0.0,)
    total, done, rows = sum(pages for _, pages in tables), 0, 0
    for relation, end in tables:
        first, pages, tried_since = 0, _FIRST_PAGES, 0.0
        while first < end:
            began = time.monotonic()
            batch = min(pages, end - first)
            try:
                rows += _record_batch(conn, [target, relation, first, first + batch], lock_timeout)
            except DatabaseError as error:
                tried_since = tried_since or began
                if error.sqlstate not in database.PASSING or began - tried_since > patience:
                    raise
                # One that waited for a row while it holds others could end an application's transaction in a deadlock.
                pages = max(1, batch // 4)
                time.sleep(_PAUSE)
                continue
            first, done, tried_since = first + batch, done + batch, 0.0
            pages = _next_pages(batch, time.monotonic() - began)
            if report is not None:
                report(done, total)
    conn.execute("select auditctl.end_baseline(%s, %s)", [target, rows])
    return rows


def _next_pages(pages: int, seconds: float) -> int:
    """Return the size of the next batch: at most twice this one, so that it takes about `_BATCH_SECONDS`."""
    return max(1, min(_MAX_PAGES, 2 * pages, int(pages * _BATCH_SECONDS / max(seconds, 0.001))))


def _record_batch(conn: Connection, batch: list[Any], lock_timeout: str) -> int:
    try:
        with database.transaction(conn, lock_timeout=lock_timeout):
            conn.execute("set transaction isolation level read committed")
            row = conn.execute("select auditctl.record_baseline(%s, %s::oid, %s, %s)", batch).fetchone()
    except DatabaseError as error:
        if error.sqlstate in database.PASSING:
            error.hint = (
                "What was recorded stays. Run the same command again in a quieter moment, or raise --lock-timeout."
            )
        raise
    return row[0] if row else 0
