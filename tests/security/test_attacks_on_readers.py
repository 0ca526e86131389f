"""Attacks on those who administer and read: their search path, their terminal, the privileges of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.security.test_attacks import enable
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

OPERATORS = (
    "(oid, regtype)",
    "(oid, regnamespace)",
    "(oid, regrole)",
    "(name, text)",
    "(auditctl.action, auditctl.action)",
)


def test_operators_in_a_schema_on_the_administrators_path_are_not_run(
    db: str, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    mallory = login("mallory", dsn=db)
    with connect(db) as conn:
        conn.execute("grant create on schema public to public")
        conn.execute("create table public.t (id integer primary key)")
    with connect(mallory.dsn) as conn:
        for index, arguments in enumerate(OPERATORS):
            left, right = arguments.strip("()").split(", ")
            conn.execute(
                f"create function public.evil{index}({left}, {right}) returns boolean language plpgsql as "
                f"$$ begin execute 'alter role {mallory.name} superuser'; return true; end $$"
            )
            conn.execute(
                f"create operator public.= (leftarg = {left}, rightarg = {right}, procedure = public.evil{index})"
            )
    for command in (
        ("install",),
        ("enable", "t", "--label", "T"),
        ("tables", "--all"),
        ("check",),
        ("plan",),
        ("apply",),
        ("log", "--action", "create"),
        ("export",),
        ("history", "auditctl.rule", "public.t"),
        ("grant", "reader", mallory.name),
        ("disable", "t"),
    ):
        auditctl(*command, check=0)
    with connect(db) as conn:
        assert conn.execute("select rolsuper from pg_roles where rolname = %s", [mallory.name]).fetchone() == (False,)


@pytest.mark.parametrize("setting", ["actor", "ip", "context"])
def test_text_that_is_no_utf8_neither_fails_the_write_nor_makes_the_log_unreadable(
    db: str, login: MakeLogin, auditctl: RunAuditctl, setting: str
) -> None:
    web = login("web", roles=["auditctl_app"], dsn=db)
    with connect(db) as conn:
        conn.execute("create table public.t (id integer primary key); grant insert on public.t to public")
    enable(db, "public.t")
    for index, value in enumerate((b"ev\xffil", b"ev\xf0")):
        options = b" options='-c auditctl." + setting.encode() + b"=" + value + b"'"
        raw = psycopg.pq.PGconn.connect(web.dsn.encode() + options)
        done = raw.exec_(b"insert into public.t values (%d)" % index)
        assert done.status == psycopg.pq.ExecStatus.COMMAND_OK, done.error_message
        raw.finish()
    auditctl("log", check=0)
    with connect(db) as conn:
        rows = conn.execute("select actor, context::text from auditctl.event where target = 'public.t'").fetchall()
    assert len(rows) == 2
    assert all("invalid text " in f"{actor} {context}" for actor, context in rows)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into auditctl.event (actor, actor_kind, target, action) values ('alice', 'application', 'x', 'EVENT')",
        "insert into auditctl.event_default (event_id, actor, actor_kind, target, action) overriding system value "
        "values (1, 'alice', 'application', 'x', 'EVENT')",
        "insert into auditctl.rule (name, position, actions) values ('x', 1, '{}')",
        "insert into auditctl.target (target) values ('x')",
        "insert into auditctl.alembic_version values ('9')",
    ],
)
def test_a_writer_of_all_data_writes_nothing_here(db: str, login: MakeLogin, statement: str) -> None:
    writer = login("writer", roles=["pg_write_all_data"], dsn=db)
    with connect(writer.dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement)
    with connect(writer.dsn) as conn:
        for table in ("event", "event_default"):
            for change in (f"update auditctl.{table} set target = 'x'", f"delete from auditctl.{table}"):
                with pytest.raises(psycopg.Error, match="write-once"):
                    conn.execute(change)
        for table in ("rule", "target", "alembic_version"):
            assert conn.execute(f"delete from auditctl.{table}").rowcount == 0
        conn.execute("select setval('auditctl.event_event_id_seq', 9223372036854775807)")
    with connect(db) as conn:
        conn.execute("create table public.t (id integer primary key)")
    enable(db, "public.t")
    with connect(db) as conn:
        conn.execute("insert into public.t values (1)")
        assert conn.execute("select count(*) from auditctl.event where target = 'public.t'").fetchone() == (1,)


@pytest.mark.parametrize("name", ["System", "postgres"])
def test_a_user_of_an_application_is_told_from_the_system_and_from_a_login_of_that_name(
    db: str, login: MakeLogin, auditctl: RunAuditctl, name: str
) -> None:
    with connect(db) as conn:
        conn.execute("create table note (id int primary key, body text); grant insert on note to public")
    enable(db, "public.note")
    web = login("web", roles=["auditctl_app"])
    with connect(db if name == "postgres" else web.dsn) as honest:
        honest.execute("insert into note values (1, 'x')")
    with connect(web.dsn) as session:
        session.execute("select auditctl.set_context(%s, p_local => false)", [name])
        session.execute("insert into note values (2, 'x')")
    lines = auditctl("log", "--target", "note", check=0).out.splitlines()
    users = {line.split()[3] for line in lines if "public.note" in line}
    assert len(users) == 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("(System)", "\\x28System)"),
        ("@postgres", "\\x40postgres"),
        (" (System)", "\\x20(System)"),
        ("\uff08System)", "\\uff08System)"),
        ("\u3000@postgres", "\\u3000@postgres"),
    ],
    ids=ascii,
)
def test_a_user_of_an_application_does_not_put_on_the_mark_of_the_system_or_of_a_login(
    conn: psycopg.Connection, auditctl: RunAuditctl, name: str, shown: str
) -> None:
    record(
        conn,
        Recorded(actor=name),
        Recorded(actor=None, kind="system"),
        Recorded(actor="postgres", kind="database"),
        Recorded(actor="alice@example.com"),
    )
    header, _, *lines = auditctl("log", "--target", "billing.*", check=0).out.splitlines()
    place = slice(header.index("user"), header.index("action"))
    assert [line[place].strip() for line in lines] == ["alice@example.c…", "@postgres", "(System)", shown]
