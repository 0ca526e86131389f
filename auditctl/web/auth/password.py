"""Signs visitors in by password: PostgreSQL checks it, and its roles decide what a visitor may see."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.log import lookups
from auditctl.names import IDENTIFIER_BYTES, ROLE_ADMIN
from auditctl.web.auth.connections import Claims, Connections
from auditctl.web.auth.sessions import Visitor
from auditctl.web.errors import Forbidden, WebError
from auditctl.web.settings import Settings

CONNECT_SECONDS: Final = 10
APPLICATION_NAME: Final = "auditctl serve"
MAX_PASSWORD: Final = 1000
"""Characters."""

_MAY_READ: LiteralString = (
    "has_schema_privilege('auditctl', 'usage') and has_table_privilege('auditctl.activity', 'select')"
)


class WrongPassword(WebError):
    """The login or password is wrong, or the login may not connect."""

    status = 401

    def __init__(self) -> None:
        super().__init__(hint="Use your database login. The server's log has the reason.")


def conninfo(settings: Settings, login: str, password: str) -> str:
    """Return the connection string of a visitor: the served database with their login and password."""
    return make_conninfo(base(settings), user=login, password=password)


def sign_in(settings: Settings, login: str, password: str, address: str) -> tuple[Visitor, Connections]:
    """Connect with a login and its password, and record that.

    Raises:
        WrongPassword: The server refused them; the same whether or not the login exists.
        Forbidden: The server did not ask for a password, so the visitor's identity is not proven; or the login may
            not read the log.
        DatabaseError: The server cannot be reached.
        StoreError: The store is missing, or of another version.
    """
    _require_possible(login, password)
    connections = Connections(conninfo(settings, login, password))
    try:
        with connections.lend(Claims(address), settings.page_timeout) as conn:
            _require_password_used(conn)
            visitor = _reader(conn, login)
            lookups.record_session(conn, is_start=True)
            return visitor, connections
    except DatabaseError as error:
        connections.close()
        if error.sqlstate == database.DENIED:
            raise _not_a_reader(login) from error
        # A failed connection has no SQLSTATE, and its message is in the server's language.
        if error.sqlstate is None and database.answers(base(settings)):
            raise WrongPassword from error
        raise
    except BaseException:
        connections.close()
        raise


def reader(settings: Settings) -> tuple[Visitor, Connections]:
    """Connect with the login that reads for every visitor that a proxy names.

    Raises:
        Forbidden: The login may not read the log.
        DatabaseError: The server cannot be reached.
        StoreError: The store is missing, or of another version.
    """
    connections = Connections(base(settings))
    try:
        with connections.lend(Claims(), settings.page_timeout) as conn:
            return _reader(conn, conn.info.user), connections
    except BaseException:
        connections.close()
        raise


def is_admin(conn: Connection) -> bool:
    """Return whether the login is an administrator now."""
    row = conn.execute(
        "select exists (select from pg_roles where rolname = %s and pg_has_role(oid, 'usage'))", [ROLE_ADMIN]
    ).fetchone()
    return row == (True,)


def base(settings: Settings) -> str:
    """Return the connection string of the served database, with a time limit for connecting."""
    parameters: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **conninfo_to_dict(settings.dsn)}
    return make_conninfo("", **{**parameters, "application_name": APPLICATION_NAME})


def _reader(conn: Connection, login: str) -> Visitor:
    with database.errors_translated():
        row = conn.execute(f"select session_user::text, {_MAY_READ}").fetchone()
    name, may_read = row or (login, False)
    if not may_read:
        raise _not_a_reader(name)
    return Visitor(name, name, is_admin(conn))


def _require_possible(login: str, password: str) -> None:
    # With an empty one libpq would use that of the account that runs the server.
    if not login or not password or "\0" in login + password:
        raise WrongPassword
    # PostgreSQL truncates longer logins, so that several would name the same role.
    if len(login.encode("utf-8", "replace")) > IDENTIFIER_BYTES or len(password) > MAX_PASSWORD:
        raise WrongPassword


def _require_password_used(conn: Connection) -> None:
    if not conn.pgconn.used_password:
        raise Forbidden(
            "The database did not ask for a password, so it cannot verify who you are.",
            hint="For logins of the web page, set the method scram-sha-256 in pg_hba.conf.",
        )


def _not_a_reader(login: str) -> Forbidden:
    return Forbidden(f"{login} may not read the log.", hint=f"Ask the DBA for: auditctl grant reader {login}")
