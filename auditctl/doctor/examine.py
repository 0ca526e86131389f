"""Runs every check on a database, in one read-only transaction, and collects the findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from auditctl import database, lenient, place, resources, store_code
from auditctl.capture import accepted
from auditctl.capture.scope import Scope
from auditctl.database import Connection
from auditctl.doctor import acceptance, clear_values, coverage, remedies, rights
from auditctl.doctor.acceptance import AcceptedFinding
from auditctl.doctor.checks.log import PLACE
from auditctl.doctor.model import Check, Coverage, Finding, ResultRow, Severity
from auditctl.doctor.registry import CHECKS
from auditctl.errors import DatabaseError
from auditctl.names import ROLE_OWNER

EVENT_CLEAR = "event_clear in older events"
"""What is not examined of a large log, unless somebody asks for it."""

STORE_CODE = "store_code"
"""The check that calls nothing of the store."""

_UNSAFE = "a superuser would run code of the store that somebody changed"
_READ_ONLY = "set transaction isolation level repeatable read, read only"
_BEFORE_CHECKS = "savepoint before_checks"
_AFTER_ERROR = "rollback to savepoint before_checks"


@dataclass(frozen=True, slots=True)
class Examination:
    """The findings, and the checks that could not be made.

    Attributes:
        findings: The worst first, then in the order of the registry; what a remedy depends on comes before it.
        unseen: Checks that the login may not run, each with the reason.
        accepted: Findings that somebody accepted, which do not count.
    """

    findings: tuple[Finding, ...]
    unseen: tuple[tuple[str, str], ...]
    accepted: tuple[AcceptedFinding, ...] = ()


def examine(
    conn: Connection,
    *,
    today: date | None = None,
    server_version: str | None = None,
    limit: int | None = clear_values.LIMIT,
    only: tuple[str, ...] = (),
    reads_files: bool = False,
) -> Examination:
    """Make every check; change nothing.

    Args:
        conn: The connection; a superuser sees all, a reader nearly all.
        today: The date at which versions are compared; None for the server's.
        server_version: The server's version; None to ask the server.
        limit: How many events, the newest, are examined for values in the clear; None for all.
        only: The names and globs of the tables to look at; empty for all, and for what concerns the whole server.
        reads_files: Whether the files of archives are examined, too, wherever they are.

    Raises:
        UsageError: A name of `only` matches no table and no rule.
        DatabaseError: A query failed for another reason than a missing privilege.
    """
    lenient.adapt(conn)
    with database.transaction(conn):
        conn.execute(_READ_ONLY)
        return _displaced(conn) or _in_place(conn, today, server_version, limit, only, reads_files=reads_files)


def _in_place(
    conn: Connection, today: date | None, server_version: str | None, limit: int | None, only: tuple[str, ...], *,
    reads_files: bool,
) -> Examination:  # fmt: skip
    """Make every check, inside a transaction; arguments as for `examine`."""
    found: list[tuple[Check, ResultRow]] = []
    unseen: list[tuple[str, str]] = []
    major = conn.info.server_version // 10000
    changed = _changed_code(conn)
    is_unsafe = bool(changed) and store_code.is_superuser(conn)
    covered, refused = (None, None) if is_unsafe else _coverage(conn, limit, only)
    (is_guarded,) = conn.execute(resources.sql_text("queries/guarded.sql").encode()).fetchone() or (False,)
    parameters = {
        "is_guarded": is_guarded,
        "today": today,
        "server_version": server_version,
        "needed": covered.needed_functions if covered else [],
        "granted": list(covered.granted) if covered else [],
        "changed": changed,
    }
    checks = [check for check in CHECKS if check.since <= major <= check.until]
    if is_unsafe:
        unseen += [(check.name, _UNSAFE) for check in checks if check.name != STORE_CODE]
        checks = [check for check in checks if check.name == STORE_CODE]
    conn.execute(_BEFORE_CHECKS)
    for check in checks:
        try:
            rows = _rows(conn, check, covered, refused, parameters)
        except DatabaseError as error:
            if error.sqlstate not in (database.DENIED, database.MISSING):  # another check finds what is missing
                raise
            unseen.append((check.name, str(error)))
        else:
            rows = _examined(check, rows, unseen, reads_files=reads_files)
            named = [row for row in rows if covered is None or _is_named(row, covered.limits)]
            found += [(check, row) for row in named]
    if covered and (since := covered.clear_values.examined_since):
        begin = f"{since.astimezone(UTC):%Y-%m-%d %H:%M} (UTC)"
        unseen.append((EVENT_CLEAR, f"the log is large; those before {begin} need --all-events"))
    findings = _findings(conn, covered, found, is_guarded=is_guarded)
    # Code of the store that somebody changed may say what is accepted.
    valid = () if covered is None else accepted.read(conn)
    (day,) = conn.execute("select coalesce(%s::date, current_date)", [today]).fetchone() or (date.max,)
    counted, apart = acceptance.split(findings, valid, day)
    return Examination(counted, tuple(unseen), apart)


def _examined(
    check: Check, rows: Sequence[ResultRow], unseen: list[tuple[str, str]], *, reads_files: bool
) -> Sequence[ResultRow]:
    """Return the rows that are findings, where files say so; note that nobody asked for it, if there are files."""
    if check.examine is None or not rows:
        return rows
    if not reads_files:
        unseen.append((check.name, "auditctl doctor reads the files"))
        return ()
    return check.examine(rows, datetime.now(UTC).date())


def _findings(
    conn: Connection, covered: Coverage | None, found: Sequence[tuple[Check, ResultRow]], *, is_guarded: bool
) -> list[Finding]:
    """Return what results mean, the worst first, with remedies for the login that asks."""
    asker = rights.read(conn, covered, *remedies.tables(found))
    findings = [remedies.fit(check.finding(row), check, row, asker, is_guarded=is_guarded) for check, row in found]
    order = list(Severity)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def _changed_code(conn: Connection) -> list[str]:
    """Return what `store_code` finds, but for triggers and rules: they have checks, and reading does not run them."""
    return [name for name in store_code.find_changes(conn) if not name.startswith(("trigger ", "rule "))]


def _displaced(conn: Connection) -> Examination | None:
    """Return the one finding about a store that is not in its place: what other checks compare with may be missing."""
    phrase = place.displacement(conn)
    if phrase is None:
        return None
    row = {"object": f"database {conn.info.dbname}", "phrase": phrase}
    return Examination((remedies.fit(PLACE.finding(row), PLACE, row, rights.read(conn)),), ())


def _is_named(row: ResultRow, limits: Scope | None) -> bool:
    """Return whether a result is about a table, or a rule, that the examination is limited to."""
    names = (row.get(name) for name in ("relation", "table", "rule", "object"))
    return limits is None or any(limits.includes(str(name)) for name in names if name is not None)


def _coverage(
    conn: Connection, limit: int | None, only: tuple[str, ...]
) -> tuple[Coverage | None, DatabaseError | None]:
    """Return the comparison with the rules, or why there is none."""
    try:
        with database.errors_translated(), conn.transaction():
            return coverage.read(conn, limit, only), None
    except DatabaseError as error:
        if error.sqlstate != database.DENIED:
            raise
        return None, error


def _rows(
    conn: Connection,
    check: Check,
    covered: Coverage | None,
    refused: DatabaseError | None,
    parameters: Mapping[str, Any],
) -> Sequence[ResultRow]:
    needs_rules = check.find is not None or "%(needed)s" in check.query
    if needs_rules and refused is not None:
        raise refused
    if check.find is not None and covered is not None:
        return check.find(covered)
    values = {**parameters, "check": check.name} if "%(" in check.query else None
    try:
        with database.errors_translated():
            return _results(conn, check.query, values)
    except DatabaseError as error:
        if not conn.closed:
            conn.execute(_AFTER_ERROR)  # checks change nothing, and so share one savepoint
        if error.sqlstate != database.DENIED:
            raise
        # From PostgreSQL 16 on, the login that installed does not inherit the owner's rights, but may act as the owner.
        as_owner = database.acting_as(conn, ROLE_OWNER)
        with suppress(DatabaseError), database.errors_translated(), conn.transaction(), as_owner:
            return _results(conn, check.query, values)
        raise


def _results(conn: Connection, query: str, values: Mapping[str, Any] | None) -> Sequence[ResultRow]:
    cursor = conn.execute(query.encode(), values)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]
