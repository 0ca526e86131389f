"""Logs that tests in a browser read and do not change, and what stands in the usual one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.conninfo import make_conninfo

from auditctl.web.settings import Settings
from tests.fixtures.databases import NUMBERS, Login, connect, drop_role, fresh_database
from tests.fixtures.web import PEOPLE, VERIFIER, Client, nameless, served
from tests.support.capturing import audit
from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import LiteralString

    import psycopg

    from auditctl.demo.server import EmbeddedServer

PAST = 210
"""How many events are of the past: four pages of 50, and ten more."""

TABLES: LiteralString = """
    create schema billing;
    create table billing.customer (id int primary key, name text, email text, note text, balance numeric);
    create table billing.plan (code text primary key, price numeric);
    grant usage on schema billing to public;
    grant all on all tables in schema billing to public
"""

LETTER_BEFORE = "Dear Ms. Brandt,\nyour plan ends in May.\nKind regards"
LETTER_AFTER = "Dear Ms. Brandt,\nyour plan ends in June.\nKind regards"


@dataclass(frozen=True, slots=True)
class Archive:
    """A log and the page that serves it.

    Attributes:
        url: The page's address, without a slash at its end.
        dsn: The database, as superuser.
        reader: Somebody signed in who may read.
        reader_login: Their login, whose password is `PASSWORD`.
        admin: Somebody signed in who may configure.
    """

    url: str
    dsn: str
    reader: Client
    reader_login: Login
    admin: Client


Fill = Callable[["psycopg.Connection", str, str], None]
"""Puts events into a log; takes a superuser's session, its DSN, and an application's login."""


@contextmanager
def opened(server: EmbeddedServer, template: str, fill: Fill, name: str = "ann") -> Iterator[Archive]:
    """Fill a database of its own and serve it for the time of the block, to a reader whose login begins with `name`."""
    with ExitStack() as stack:
        names = [f"{prefix}_{next(NUMBERS)}" for prefix in (name, "boss", "web")]
        for login in names:
            stack.callback(drop_role, server, login)
        dsn = stack.enter_context(fresh_database(server, "archive", template))
        with connect(dsn) as conn:
            _people(conn, *names)
            fill(conn, dsn, names[2])
        url = stack.enter_context(served(Settings(nameless(dsn))))
        clients = [stack.enter_context(Client(base_url=url)) for _ in names[:2]]
        for client, login in zip(clients, names, strict=False):
            assert client.sign_in(login).status_code == 303
        yield Archive(url, dsn, clients[0], Login(names[0], make_conninfo(dsn, user=names[0])), clients[1])


def _people(conn: psycopg.Connection, reader: str, admin: str, web: str) -> None:
    for name, roles in (
        (reader, ["auditctl_reader", PEOPLE]),
        (admin, ["auditctl_admin", PEOPLE]),
        (web, ["auditctl_app"]),
    ):
        command = sql.SQL("create role {} login password {}")
        conn.execute(command.format(sql.Identifier(name), sql.Literal(VERIFIER)))
        for role in roles:
            conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(name)))


def usual(conn: psycopg.Connection, dsn: str, web: str) -> None:
    """Five pages of the past, and what happened just now: a customer came and changed, and a plan went."""
    conn.execute(TABLES)
    audit(dsn, "billing.customer", label="Customer")
    audit(dsn, "billing.plan")
    record(conn, *(_past(number) for number in range(PAST)))
    with connect(make_conninfo(dsn, user=web)) as application:
        application.execute(
            "select auditctl.set_context('alice', '203.0.113.7', '{\"request_id\": \"r-1\"}', null, false)"
        )
        application.execute(
            "insert into billing.customer values (7, 'Brandt', 'info@brandt.example', %s, 10.00)", [LETTER_BEFORE]
        )
        application.execute("insert into billing.plan values ('team', 29.00)")
        with application.transaction():
            application.execute(
                "update billing.customer set email = 'rechnung@brandt.example', note = %s where id = 7", [LETTER_AFTER]
            )
            application.execute("update billing.plan set price = 34.00 where code = 'team'")
    conn.execute("delete from billing.plan")


def _past(number: int) -> Recorded:
    actor, kind = (("alice", "application"), ("bob", "application"), (None, "system"))[number % 3]
    return Recorded(
        minutes(number),
        actor=actor,
        kind=kind,
        ip=f"203.0.113.{number % 9}",
        target_id=str(1000 + number),
        action=("CREATE", "UPDATE")[number % 2],
        old='{"balance": 10.00}' if number % 2 else None,
        new='{"balance": 12.50}' if number % 2 else '{"balance": 10.00, "name": "Somebody"}',
        context=f'{{"request_id": "past-{number % 5}"}}',
        xact=100 + number,
    )
