"""Who can dump the log with PostgreSQL's own pg_dump: a dump is whole, or it fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from auditctl import database
from auditctl.capture import roles
from auditctl.store import install
from tests.fixtures.databases import connect, fresh_database
from tests.support import dumps
from tests.support.capturing import audit
from tests.support.reading import SALARY, audit_reads

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow

COPIED = re.compile(r"^COPY auditctl\.(\w+) .*?;\n(.*?)^\\\.$", re.DOTALL | re.MULTILINE)


def rows(dump: str) -> dict[str, int]:
    """How many rows of each table of the store a plain dump holds."""
    return {table: text.count("\n") for table, text in COPIED.findall(dump)}


def stored(conn: psycopg.Connection) -> dict[str, int]:
    """How many rows each table of the store has, for a superuser."""
    tables = conn.execute(
        "select relname from pg_class where relnamespace = 'auditctl'::regnamespace and relkind = 'r' order by 1"
    ).fetchall()
    counts = {}
    for (table,) in tables:
        (counts[table],) = conn.execute(
            sql.SQL("select count(*) from only auditctl.{}").format(sql.Identifier(table))
        ).fetchone() or (0,)
    return counts


def fill(db: str, conn: psycopg.Connection) -> None:
    """Record some events, also in the DEFAULT partition."""
    conn.execute("create table item (id integer primary key); grant select on item to public")
    audit(db, "item")
    conn.execute("insert into item select generate_series(1, 3)")
    conn.execute(
        "insert into auditctl.event (occurred_at, actor_kind, action, target) "
        "values ('1999-01-01', 'system', 'EVENT', 'x')"
    )


def dump(server: EmbeddedServer, login: Login, *options: str) -> tuple[str, str]:
    """What pg_dump prints, and what it complains of; the first is empty unless it succeeds."""
    done = dumps.run(server, "pg_dump", "-d", login.dsn, *options, check=False)
    return ("", done.stderr) if done.returncode else (done.stdout, done.stderr)


PARTS = (
    (),
    ("--schema=auditctl",),
    ("--data-only",),
    ("--table=auditctl.event*", "--table=auditctl.log_key"),
    ("--inserts", "--schema=auditctl"),
    ("--exclude-table=auditctl.event_2*",),
)
"""Options that choose what is dumped."""


@pytest.mark.parametrize("options", PARTS, ids=" ".join)
@pytest.mark.parametrize("role", ["pg_read_all_data", "auditctl_reader"])
def test_a_dump_that_row_security_would_shorten_fails_and_says_who_can(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, login: MakeLogin, role: str, options: tuple[str, ...]
) -> None:
    fill(db, conn)
    someone = login("someone", roles=[role])
    printed, complaint = dump(server, someone, "--enable-row-security", *options)
    assert printed == ""
    assert "permission denied" in complaint
    if role == "pg_read_all_data":
        assert f"auditctl backup-role {someone.name}" in complaint


def test_what_a_reader_may_dump_with_row_security_is_whole(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    fill(db, conn)
    someone = login("someone", roles=["pg_read_all_data"])
    printed, _ = dump(server, someone, "--enable-row-security", "--exclude-table-data=auditctl.log_key")
    everything = stored(conn)
    assert {table: everything[table] for table in everything if everything[table]}.keys() - {"log_key"} <= rows(
        printed
    ).keys()
    assert rows(printed) == {table: number for table, number in everything.items() if table != "log_key"}


def test_no_table_of_the_store_hides_rows_from_those_who_may_select(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    fill(db, conn)
    conn.execute("select auditctl_internal.create_partition('2031-05-01')")
    someone = login("someone", roles=["pg_read_all_data"])
    everything = stored(conn)
    assert everything["event_2031_05"] == 0
    with connect(someone.dsn) as session:
        for table, number in everything.items():
            query = sql.SQL("select count(*) from only auditctl.{}").format(sql.Identifier(table))
            if table == "log_key":
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the secrets of the log"):
                    session.execute(query)
            else:
                assert session.execute(query).fetchone() == (number,), table


def test_a_backup_role_dumps_all_as_a_superuser_does(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    fill(db, conn)
    conn.execute(f"{SALARY}; create table own (id integer); alter table own enable row level security")
    audit_reads(db, "salary", read_force=True)
    nightly = login("nightly")
    with database.connect(db) as session:
        assert roles.grant_backup(session, nightly.name) is True
    printed, _ = dump(server, nightly)
    assert rows(printed) == stored(conn)
    assert rows(printed)["log_key"] == 1
    with fresh_database(server, "restored") as restored:
        dumps.play(server, restored, printed)
        with connect(restored) as session:
            assert session.execute("select count(*) from auditctl.activity").fetchone() == (
                sum(number for table, number in stored(conn).items() if re.match(r"event_(\d|default)", table)),
            )
    with connect(nightly.dsn) as session:
        for statement in (
            "insert into auditctl.event (actor_kind, action, target) values ('system', 'EVENT', 'x')",
            "delete from auditctl.event", "truncate auditctl.event", "insert into item values (9)",
            "update auditctl.log_key set made_at = now()", "set role auditctl_owner",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())


def test_the_login_that_installed_dumps_all_where_it_owns_all_else(
    server: EmbeddedServer, empty_db: str, login: MakeLogin
) -> None:
    installer = login("installer", attributes="createrole", dsn=empty_db)
    with connect(empty_db) as conn:
        for statement in ("grant create on database {1} to {0}", "grant create on schema public to {0}"):
            conn.execute(sql.SQL(statement).format(sql.Identifier(installer.name), sql.Identifier(conn.info.dbname)))
        # Roles are the server's: another database's installer made these.
        if conn.info.server_version >= 160000:
            for role in ("owner", "admin", "backup"):
                grant = f"grant auditctl_{role} to {installer.name} with admin true, inherit false, set false"
                conn.execute(grant.encode())
        install(installer.dsn)
        with connect(installer.dsn) as session:
            session.execute("create table item (id integer primary key)")
        audit(installer.dsn, "item")
        conn.execute("insert into item values (1)")
        with database.connect(installer.dsn) as session:
            assert roles.grant(session, "backup", installer.name) is True
        printed, complaint = dump(server, installer, "--enable-row-security")
        assert complaint == ""
        assert rows(printed) == stored(conn)


def test_an_application_that_owns_its_tables_dumps_them_without_the_log(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, owner: Login
) -> None:
    fill(db, conn)
    conn.execute(sql.SQL("alter table item owner to {}").format(sql.Identifier(owner.name)))
    assert "permission denied" in dump(server, owner)[1]
    printed, complaint = dump(server, owner, "--exclude-schema=auditctl*")
    assert (complaint, rows(printed)) == ("", {})
    assert "COPY public.item (id) FROM stdin;\n1\n2\n3\n" in printed
