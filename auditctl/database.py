"""Connects to PostgreSQL and translates the driver's errors, which no other module catches.

Decides how a connection is made and what a failure is called. Knows nothing about auditing but the store's revision.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import PGconn, Ping, TransactionStatus

from auditctl import lenient, locks, names, place, resources, revision, store_code
from auditctl.errors import AuditctlError, ConfigurationError, DatabaseError
from auditctl.names import APPLICATION_NAME, MINIMUM_SERVER_VERSION, SCHEMA
from auditctl.session_settings import pin_statement

Connection = psycopg.Connection[tuple[Any, ...]]
"""A connection whose rows are tuples; always in autocommit, transactions are opened by `transaction`."""

INSTALLER = "Use a superuser, or the login that ran `auditctl install`."
"""What to do where it takes the rights of auditctl_owner."""

CANCEL_SECONDS = 5.0
"""How long the server may take to hear that a statement is to be canceled."""

DENIED = errors.InsufficientPrivilege.sqlstate
"""The SQLSTATE of an error for want of a privilege."""

MISSING = errors.UndefinedTable.sqlstate
"""The SQLSTATE of an error about a table that does not exist."""

LOCKED = errors.LockNotAvailable.sqlstate
"""The SQLSTATE of an error for want of a lock."""

BUSY = (LOCKED, errors.DeadlockDetected.sqlstate)
"""The SQLSTATEs of errors that another session caused by what it locks."""

PASSING = (*BUSY, errors.SerializationFailure.sqlstate)
"""The SQLSTATEs of errors that another session caused, and that the same transaction may not meet again."""

_RAISED = "exec_stmt_raise"
"""The server's function by which errors come that SQL of ours raises: they say themselves who holds what."""

_HINTS = {
    errors.InvalidPassword.sqlstate: "Check the password, or use a service file or PGPASSFILE.",
    errors.InvalidAuthorizationSpecification.sqlstate: "Check the login and pg_hba.conf.",
    errors.InvalidCatalogName.sqlstate: "Check the database's name in the DSN.",
    DENIED: "Run this as a login that may, or ask the DBA for the role: auditctl grant --help.",
    errors.DiskFull.sqlstate: "Free some space on the server.",
    errors.TooManyConnections.sqlstate: "Wait for connections to end, or raise max_connections.",
    **dict.fromkeys(BUSY, "Another session holds the lock; try again in a quieter moment."),
    errors.QueryCanceled.sqlstate: "The statement was canceled on the server; see statement_timeout.",
    errors.AdminShutdown.sqlstate: "The server closed the connection; try again.",
    errors.ReadOnlySqlTransaction.sqlstate: "The server is read-only, such as a standby; use the primary.",
}


def translate(error: psycopg.Error, subject: str = "") -> AuditctlError:
    """Return the error of ours that stands for one of the driver's, about an object if one is named."""
    diagnostic = error.diag
    message = " ".join((diagnostic.message_primary or str(error)).split()) or type(error).__name__
    if error.sqlstate in BUSY and diagnostic.source_function != _RAISED:
        message = f"{subject or 'what this needs'} {locks.IS_LOCKED}"
    elif subject:
        message = f"{subject}: {message}"
    hint = diagnostic.message_hint or _HINTS.get(error.sqlstate or "", "")
    if subject and error.sqlstate == DENIED:
        hint = "Triggers are put on a table by its owner: use that login, a member of that role, or a superuser."
    if not hint and error.sqlstate is not None:
        hint = f"The server says SQLSTATE {error.sqlstate}; its log may say more."
    if error.sqlstate == errors.CheckViolation.sqlstate and diagnostic.schema_name == SCHEMA:
        return ConfigurationError([message], hint=hint)
    if error.sqlstate is None and not hint:
        hint = "Check --dsn, AUDITCTL_DSN or libpq's PG variables, and that the server runs."
    return DatabaseError(message, hint=hint, sqlstate=error.sqlstate)


@contextmanager
def errors_translated(subject: str = "") -> Iterator[None]:
    """Turn the driver's errors of the block into `DatabaseError`, about an object if one is named."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, subject) from error


@contextmanager
def connect(dsn: str = "") -> Iterator[Connection]:
    """Open a connection in autocommit, close it at the end of the block, and translate errors inside it.

    Args:
        dsn: A libpq connection string or URI; empty for libpq's environment and service file.

    Raises:
        DatabaseError: No connection, or a statement of the block failed.
    """
    require_readable(dsn)
    with (
        errors_translated(),
        psycopg.connect(
            dsn, autocommit=True, client_encoding="utf8", fallback_application_name=APPLICATION_NAME
        ) as conn,
    ):
        if conn.info.server_version < MINIMUM_SERVER_VERSION:
            raise DatabaseError(
                f"PostgreSQL {conn.info.server_version // 10000} is too old for auditctl",
                hint=f"auditctl needs PostgreSQL {MINIMUM_SERVER_VERSION // 10000} or newer.",
            )
        _pin_settings(conn)
        lenient.adapt_json(conn)
        yield conn


def collect_warnings(conn: Connection) -> list[str]:
    """Return a list to which the connection's warnings are added from now on, each once and on one line."""
    collected: list[str] = []

    def collect(diagnostic: errors.Diagnostic) -> None:
        warning = " ".join((diagnostic.message_primary or "").split())
        if diagnostic.severity_nonlocalized == "WARNING" and warning not in collected:
            collected.append(warning)

    conn.add_notice_handler(collect)
    return collected


def require_readable(dsn: str) -> None:
    """Refuse a DSN that libpq would misread, in words that do not repeat it: it may hold a password."""
    try:
        host = str(conninfo_to_dict(dsn).get("host") or "")
    except psycopg.ProgrammingError:
        host = "@"
    if "@" in host:
        hint = "Write host=... dbname=..., or postgresql://login@host/database; in a password write @ as %40."
        if dsn.startswith("postgresql+"):
            hint = "Write postgresql:// without a driver, which only SQLAlchemy's URLs name."
        raise DatabaseError("the DSN is not a valid connection string or URI", hint=hint)


def _pin_settings(conn: Connection) -> None:
    """Give the session `SETTINGS`, whatever the login, the database or the environment prefers."""
    conn.execute("select pg_catalog.set_config('auditctl.schemas', pg_catalog.current_schemas(false)::text, false)")
    conn.execute(pin_statement(local=False))


def schemas(conn: Connection) -> tuple[str, ...]:
    """Return the schemas on the login's own search path, which say what an unqualified table name means."""
    row = conn.execute(
        "select coalesce(nullif(pg_catalog.current_setting('auditctl.schemas', true), '')::text[], "
        "pg_catalog.current_schemas(false)::text[])"
    ).fetchone()
    return tuple(row[0]) if row else ()


@contextmanager
def connect_store(
    dsn: str = "", *, denied: str = "", is_examined: bool = False, require: Callable[..., None] = revision.require
) -> Iterator[Connection]:
    """Like `connect`, and make sure that the store is there in the version this tool works with.

    Args:
        dsn: A libpq connection string or URI; empty for libpq's environment and service file.
        denied: The hint of an error for want of a permission, `{login}` for the login; empty for a general one.
        is_examined: Whether the caller finds out itself if a superuser may run the store's code.
        require: Raises unless the store is as the caller needs it.

    Raises:
        DatabaseError: No connection, or a statement of the block failed.
        StoreError: The store is missing, older, newer or, for a superuser, changed.
    """
    with connect(dsn) as conn, _explained(DENIED, denied.format(login=shlex.quote(conn.info.user))):
        with waiting_for_store(conn):
            require(conn)
            with place.explaining(conn):
                if not is_examined:
                    store_code.require_unchanged(conn)
        with place.explaining(conn), errors_translated():
            yield conn


@contextmanager
def waiting_for_store(conn: Connection) -> Iterator[None]:
    """Wait in the block no longer than `STORE_WAIT` for a lock, and say who holds it; the session is in autocommit."""
    with holders_named(conn):
        conn.execute("select pg_catalog.set_config('lock_timeout', %s, false)", [names.STORE_WAIT])
        yield
        conn.execute("set lock_timeout = 0")


@contextmanager
def holders_named(conn: Connection, hint: str = "") -> Iterator[None]:
    """Name who holds the lock for want of which the block fails: process, program and login.

    Args:
        conn: The connection, which is outside a transaction once the block has failed.
        hint: What to do about it; empty for a general hint.

    Raises:
        DatabaseError: As the block does.
    """
    try:
        with errors_translated():
            yield
    except DatabaseError as error:
        if hint and error.sqlstate in BUSY and error.hint == _HINTS[LOCKED]:
            error.hint = hint
        if locks.is_unexplained(error) and is_at_rest(conn):
            raise locks.explain(conn, error) from error
        raise


@contextmanager
def _explained(sqlstate: str | None, hint: str) -> Iterator[None]:
    try:
        with errors_translated():
            yield
    except DatabaseError as error:
        if hint and error.sqlstate == sqlstate and error.hint == _HINTS[error.sqlstate]:
            error.hint = hint
        raise


def answers(dsn: str) -> bool:
    """Whether a server is there and takes connections, of whomever; needs no password (libpq's PQping)."""
    return PGconn.ping(dsn.encode()) == Ping.OK


def is_at_rest(conn: Connection) -> bool:
    """Whether a connection is open and outside a transaction, so that it can be used for something else."""
    return not conn.closed and conn.info.transaction_status == TransactionStatus.IDLE


def cancel(conn: Connection) -> None:
    """Ask the server to end what a connection is doing; may be called by another thread, and waits for no answer."""
    with suppress(psycopg.Error):  # it is gone, or does nothing
        conn.cancel_safe(timeout=CANCEL_SECONDS)


@contextmanager
def transaction(conn: Connection, *, lock_timeout: str | None = None) -> Iterator[None]:
    """Run the block in one transaction: committed at its end, rolled back on any exception.

    Args:
        conn: The connection.
        lock_timeout: How long a statement waits for a lock, such as `5s`; None for the server's setting.
    """
    with (
        holders_named(conn, f"{_HINTS[LOCKED][:-1]}, or raise --lock-timeout.") if lock_timeout else nullcontext(),
        conn.transaction(),
    ):
        if lock_timeout is not None:
            conn.execute("select set_config('lock_timeout', %s, true)", [lock_timeout])
        yield


@contextmanager
def read_transaction(conn: Connection, begin: str = "queries/read_transaction.sql") -> Iterator[None]:
    """Run the block in a transaction for reading the log, which a file of sql/ begins, with errors translated.

    It blocks no writer. From then on the connection reads leniently, so that no recorded text or time can end a query.

    Raises:
        DatabaseError: A statement of the block failed.
    """
    lenient.adapt(conn)
    with errors_translated(), transaction(conn):
        conn.execute(resources.sql_text(begin).encode(), prepare=False)  # several statements
        yield


@contextmanager
def acting_as(conn: Connection, role: str, hint: str = INSTALLER) -> Iterator[None]:
    """Run the block's statements as a role, inside the caller's transaction, then as oneself again.

    Raises:
        DatabaseError: The login may not act as the role; `hint` says what to do.
    """
    try:
        conn.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    except errors.InsufficientPrivilege as error:
        message = f"{conn.info.user} may not act as {role}"
        raise DatabaseError(message, hint=hint, sqlstate=error.sqlstate) from error
    yield
    conn.execute("reset role")
