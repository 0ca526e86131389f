"""Creates the sample company: its database, its logins, and the rules for what is audited."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg.sql import SQL, Identifier, Literal

from auditctl import database, store
from auditctl.capture import apply, roles
from auditctl.capture.config import document

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer

DATABASE: Final = "billing"
RULES_FILE: Final = "billing.toml"

DBA: Final = "dana"
AUDITOR: Final = "auditor"
GRANTS: Final = (("app", "billing_web"), ("app", "billing_job"), ("reader", AUDITOR))
"""Roles of auditctl and the logins that get them."""

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Company:
    """The connection strings of the company's logins.

    Attributes:
        superuser: As postgres, who created the database.
        dba: As dana, who owns the tables and installs auditctl; in psql.
        web: As the application of alice, bob and carol.
        job: As the nightly billing run.
        auditor: As the reader of the log.
    """

    superuser: str
    dba: str
    web: str
    job: str
    auditor: str


def create(server: EmbeddedServer) -> Company:
    """Create the database, its logins, tables and rows, without auditing.

    Args:
        server: A started server without a database `billing`.

    Raises:
        DatabaseError: The server refused.
    """
    with database.connect(server.dsn()) as conn:
        conn.execute("create database billing")
    superuser = server.dsn(DATABASE)
    with database.connect(superuser) as conn, database.transaction(conn):
        # One script of many statements, sent unchanged.
        conn.execute((_FOLDER / "billing.sql").read_bytes())
    return Company(
        superuser=superuser,
        dba=server.dsn(DATABASE, DBA, application_name="psql"),
        web=server.dsn(DATABASE, "billing_web", application_name="billing-web"),
        job=server.dsn(DATABASE, "billing_job", application_name="nightly-billing"),
        auditor=server.dsn(DATABASE, AUDITOR),
    )


def audit(company: Company) -> None:
    """Install the store, apply the rules and grant the roles, as the DBA does once.

    Raises:
        DatabaseError: The server refused.
        ConfigurationError: The rules do not fit the tables.
    """
    store.install(company.dba)
    with database.connect_store(company.dba) as conn:
        apply.apply(conn, document.load(rules(), RULES_FILE))
        for role, login in GRANTS:
            roles.grant(conn, role, login)


def give_passwords(server: EmbeddedServer, company: Company) -> dict[str, str]:
    """Give passwords to the logins that may read the log; return them by login. The server now requires them.

    Raises:
        DatabaseError: The server refused.
    """
    passwords = {login: secrets.token_urlsafe(9) for login in (AUDITOR, DBA)}
    server.require_passwords(passwords)
    with database.connect(company.superuser) as conn:
        for login, password in passwords.items():
            conn.execute(SQL("alter role {} password {}").format(Identifier(login), Literal(password)))
        conn.execute("select pg_reload_conf()")
    return passwords


def rules() -> str:
    """Return the company's configuration file."""
    return (_FOLDER / RULES_FILE).read_text(encoding="utf-8")
