"""What the tests of reads share: tables whose reads are audited, their events, and the lines in the server's log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, LiteralString

from auditctl import database
from auditctl.actions import Action
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import COMMAND_LINE
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    import psycopg

    from auditctl.demo.server import EmbeddedServer

SALARY: LiteralString = """
    create table salary (id integer primary key, person text, amount integer);
    insert into salary values (1, 'ada', 100), (2, 'bob', 200);
    grant select, insert, update, delete on salary to public
"""

READS = """
    select actor, actor_kind, db_user, target, context - 'application_name'
      from auditctl.event where action = 'READ' order by event_id
"""

POLICIES = """
    select c.relrowsecurity, c.relforcerowsecurity,
           array(select (p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid),
                         pg_get_expr(p.polwithcheck, p.polrelid))::text
                   from pg_policy as p where p.polrelid = c.oid order by p.polname)
      from pg_class as c where c.oid = %s::regclass
"""
"""All that the catalog says of a table's row security."""


def audit_reads(dsn: str, *names: str, actions: tuple[Action, ...] = (Action.READ,), **options: Any) -> None:
    """Audit the reads of tables."""
    with database.connect(dsn) as conn:
        for name in names:
            apply.enable(conn, Rule(name, actions, origin=COMMAND_LINE, **options))


def stop(dsn: str, name: str) -> None:
    """Stop auditing the reads of a table."""
    with database.connect(dsn) as conn:
        apply.disable(conn, name, (Action.READ,))


def reads(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """The reads so far, oldest first: actor, kind, login, target and context; `{}` is no context."""
    return conn.execute(READS).fetchall()


def read_count(conn: psycopg.Connection) -> int:
    """How many reads there are."""
    return len(reads(conn))


def run(dsn: str, *statements: LiteralString) -> None:
    """Run statements in a session of its own, each as a message of its own."""
    with connect(dsn) as session:
        for statement in statements:
            session.execute(statement)


def log_lines(server: EmbeddedServer, since: int) -> list[str]:
    """The JSON of each line about a read in the server's log, from a position on."""
    text = server.log.read_bytes()[since:].decode()
    return [line.partition("auditctl read: ")[2] for line in text.splitlines() if "LOG:  auditctl read: " in line]


def documents(lines: list[str]) -> list[dict[str, Any]]:
    """The lines without what differs each time: time, transaction, event and hash."""
    volatile = ("at", "xact_id", "event_id", "mac")
    return [{key: value for key, value in json.loads(line).items() if key not in volatile} for line in lines]
