"""Each read is a line in the server's log as well, which survives a rollback and which nobody can forge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with, running
from tests.support.reading import SALARY, audit_reads, documents, log_lines, reads, run

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

SELECT: LiteralString = "select * from salary"


db_template = begin_with(running(SALARY))


def lines_of(server: EmbeddedServer, dsn: str, *statements: LiteralString) -> list[str]:
    """Run statements; return the lines that they leave in the server's log."""
    since = server.log.stat().st_size
    run(dsn, *statements)
    return log_lines(server, since)


def verified(conn: psycopg.Connection, *lines: str | None) -> list[bool]:
    """What auditctl.verify_read_line says of each."""
    found = (conn.execute("select auditctl.verify_read_line(%s)", [line]).fetchone() for line in lines)
    return [row[0] for row in found if row]


def test_a_read_is_a_line_beside_its_event(
    db: str, conn: psycopg.Connection, login: MakeLogin, server: EmbeddedServer
) -> None:
    audit_reads(db, "salary")
    web = login("web", roles=("auditctl_app",))
    (line,) = lines_of(
        server, web.dsn, "begin", "select auditctl.set_context(E'al\\nice', '203.0.113.7')", SELECT, "commit"
    )
    event = conn.execute("""
        select event_id, xact_id::text, to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
          from auditctl.event where action = 'READ'
    """).fetchone()
    found: dict[str, Any] = json.loads(line)
    mac = found.pop("mac")
    assert event is not None
    assert found == {
        "v": 1, "target": "public.salary", "actor": "al\nice", "actor_kind": "application", "ip": "203.0.113.7",
        "db_user": web.name, "xact_id": event[1], "at": event[2], "recorded": True, "event_id": event[0], "leaf": None,
    }  # fmt: skip
    assert len(mac) == 64
    assert verified(conn, line) == [True]


@pytest.mark.parametrize(
    ("statements", "recorded"),
    [
        (("begin", SELECT, "rollback"), True),
        (("begin", "savepoint a", SELECT, "rollback to a", "commit"), True),
        (("begin read only", SELECT, "commit"), False),
        (("set default_transaction_read_only = on", SELECT), False),
    ],
    ids=["rolled back", "to a savepoint", "read only", "read only by default"],
)
def test_a_read_without_an_event_leaves_its_line(
    db: str,
    conn: psycopg.Connection,
    login: MakeLogin,
    server: EmbeddedServer,
    statements: tuple[LiteralString, ...],
    recorded: bool,
) -> None:
    audit_reads(db, "salary", read_query=True)
    plain = login("plain")
    lines = lines_of(server, plain.dsn, *statements)
    assert reads(conn) == []
    assert documents(lines) == [
        {
            "v": 1, "target": "public.salary", "actor": plain.name, "actor_kind": "database", "ip": None,
            "db_user": plain.name, "recorded": recorded, "leaf": None, "query": SELECT,
        }
    ]  # fmt: skip
    assert (json.loads(lines[0])["event_id"] is None) is not recorded
    assert verified(conn, *lines) == [True]


def test_a_forged_or_changed_line_is_not_verified(
    db: str, conn: psycopg.Connection, login: MakeLogin, server: EmbeddedServer
) -> None:
    audit_reads(db, "salary")
    plain = login("plain")
    (line,) = lines_of(server, plain.dsn, SELECT)
    (forged,) = lines_of(
        server, plain.dsn, """do $$ begin raise log 'auditctl read: {"v": 1, "actor": "boss", "mac": "00"}'; end $$"""
    )
    found = json.loads(line)
    without = {key: value for key, value in found.items() if key != "mac"}
    tried: list[str | None] = [
        forged, line.replace(plain.name, "boss"), json.dumps(without), '{"actor": "boss", ' + line[1:], line + " ",
        line.replace('": ', '":'), json.dumps(found | {"mac": None}), "", "[]", "null", "1", "{", None, '"\\u0000"',
        "[" * 100000, json.dumps(found | {"query": "x"}),
    ]  # fmt: skip
    assert verified(conn, *tried) == [False] * len(tried)
    assert verified(conn, line) == [True]


def test_an_administrator_verifies_lines_and_nobody_else(db: str, login: MakeLogin) -> None:
    with connect(login("admin", roles=("auditctl_admin",)).dsn) as session:
        assert verified(session, "{}") == [False]
    for roles in ((), ("auditctl_reader",), ("auditctl_app",)):
        with (
            connect(login("other", roles=roles).dsn) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            verified(session, "{}")


def test_a_direct_read_of_a_part_names_it_in_the_line(
    db: str, conn: psycopg.Connection, login: MakeLogin, server: EmbeddedServer
) -> None:
    conn.execute(
        "create table child () inherits (salary); insert into child values (5); grant select on child to public"
    )
    audit_reads(db, "salary")
    lines = lines_of(server, login("plain").dsn, "select * from child")
    assert [(found["target"], found["leaf"]) for found in documents(lines)] == [("public.salary", "public.child")]
