"""Signing in: PostgreSQL itself looks at login and password, and its roles say what one may see."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.names import ROLE_ADMIN
from auditctl.web.auth.connections import Claims, Connections
from auditctl.web.auth.sessions import Person
from auditctl.web.errors import Forbidden, WebError
from auditctl.web.settings import Settings

CONNECT_SECONDS: Final = 10
APPLICATION_NAME: Final = "auditctl serve"
LONGEST_LOGIN: Final = 63
"""Bytes: PostgreSQL cuts longer ones, so that many would name the same role."""

LONGEST_PASSWORD: Final = 1000

_MAY_READ: LiteralString = (
    "has_schema_privilege('auditctl', 'usage') and has_table_privilege('auditctl.activity', 'select')"
)


class WrongPassword(WebError):
    """Login or password is wrong, or the login may not connect."""

    status = 401

    def __init__(self) -> None:
        super().__init__(hint="They are those of the database. The server's log says which it was.")


def conninfo(settings: Settings, login: str, password: str) -> str:
    """Return how a visitor connects: to the database that is served, as themselves, whatever else is configured."""
    return make_conninfo(base(settings), user=login, password=password)


def sign_in(settings: Settings, login: str, password: str, address: str) -> tuple[Person, Connections]:
    """Open the database with a login and its password.

    Raises:
        WrongPassword: The server refused them. Nobody learns whether the login exists.
        Forbidden: The server asked for no password, so that it does not know who this is; or the login may not
            read the log.
        DatabaseError: The server cannot be reached.
        StoreError: The store is missing, or of another version.
    """
    _require_possible(login, password)
    connections = Connections(conninfo(settings, login, password))
    try:
        with connections.lend(Claims(address), settings.page_timeout) as conn:
            _require_password_used(conn)
            return _reader(conn, login), connections
    except DatabaseError as error:
        connections.close()
        if error.sqlstate == database.DENIED:
            raise _no_reader(login) from error
        # A failure to connect has no SQLSTATE, and its words are in the server's language.
        if error.sqlstate is None and database.answers(base(settings)):
            raise WrongPassword from error
        raise
    except BaseException:
        connections.close()
        raise


def reader(settings: Settings) -> tuple[Person, Connections]:
    """Open the database with the login that reads for everyone a proxy names.

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
    """Whether the login is an administrator now."""
    row = conn.execute(
        "select exists (select from pg_roles where rolname = %s and pg_has_role(oid, 'usage'))", [ROLE_ADMIN]
    ).fetchone()
    return row == (True,)


def base(settings: Settings) -> str:
    """Return how the database that is served is reached, with a limit to how long that takes."""
    named: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **conninfo_to_dict(settings.dsn)}
    return make_conninfo("", **{**named, "application_name": APPLICATION_NAME})


def _reader(conn: Connection, login: str) -> Person:
    with database.errors_translated():
        found = conn.execute(f"select session_user::text, {_MAY_READ}").fetchone()
    name, may_read = found or (login, False)
    if not may_read:
        raise _no_reader(name)
    return Person(name, name, is_admin(conn))


def _require_possible(login: str, password: str) -> None:
    # An empty one would make libpq look for another: of the account that runs the web server.
    if not login or not password or "\0" in login + password:
        raise WrongPassword
    if len(login.encode("utf-8", "replace")) > LONGEST_LOGIN or len(password) > LONGEST_PASSWORD:
        raise WrongPassword


def _require_password_used(conn: Connection) -> None:
    if not conn.pgconn.used_password:
        raise Forbidden(
            "The database did not ask for a password, so it cannot tell who you are.",
            hint="For logins of the web page, pg_hba.conf must say scram-sha-256.",
        )


def _no_reader(login: str) -> Forbidden:
    return Forbidden(f"{login} may not read the log.", hint=f"Ask the DBA for: auditctl grant reader {login}")
