"""With whose rights tables are read: nobody's code runs with those that are lent, and no row is hidden from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import GUARD_OFF, connect
from tests.reconcile.test_reconcile import found
from tests.support.capturing import audit

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow


def test_row_security_hides_nothing_from_a_comparison(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    conn.execute("""
        create table t (id int primary key, v text); alter table t enable row level security;
        alter table t force row level security; insert into t values (1, 'a'), (2, 'b')
    """)
    audit(db, "t")
    admin, reader = (login(name, roles=[f"auditctl_{name}"]) for name in ("admin", "reader"))
    auditctl("baseline", "t", dsn=admin.dsn, check=0)
    assert auditctl("reconcile", dsn=reader.dsn, check=0).out == ""
    assert conn.execute(
        "select count(*) from auditctl.event where action = 'CREATE' and target = 'public.t'"
    ).fetchone() == (2,)


def test_code_of_a_tables_owner_runs_with_nobodys_rights(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, owner: Login, login: MakeLogin
) -> None:
    conn.execute(f"create schema own authorization {owner.name}".encode())
    with connect(owner.dsn) as session:
        session.execute("""
            create table own.trace (who text);
            create function own.spy(p int) returns int language plpgsql immutable as $$
            begin
                if current_user <> session_user then raise exception 'ran as %', current_user; end if;
                return p;
            end $$;
            create table own.t (id int primary key, v int); create index on own.t (v) where v > own.spy(1);
            insert into own.t values (1, 1)
        """)
    audit(db, "own.t")
    admin, reader = (login(name, roles=[f"auditctl_{name}"]) for name in ("admin", "reader"))
    for command, who in (("baseline", admin), ("reconcile", reader)):
        result = auditctl(command, "own.t", dsn=who.dsn, check=5)
        assert "reading own.t would run function own.spy(integer) with the rights of postgres" in result.err
    auditctl("baseline", "own.t", check=0)
    assert found(auditctl, "own.t", code=0) == []


def test_what_lends_rows_is_for_the_store_alone(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("create table t (id int primary key)")
    audit(db, "t")
    for role in ("auditctl_admin", "auditctl_reader"):
        with connect(login("somebody", roles=[role]).dsn) as session:
            for call in ("lend_rows(16384, null, null) as t (id int)", "lend('read', 16384, null, null)"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(f"select * from auditctl_guard.{call}".encode())
    stranger = login("owner", roles=["auditctl_owner"])
    with connect(stranger.dsn) as session:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="must be locked"):
            session.execute("select * from auditctl_guard.lend_rows('t'::regclass, null, null) as t (id int)")
        for table in ("pg_catalog.pg_authid", "auditctl.event_default", "auditctl.log_key"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(
                    f"select * from auditctl_guard.lend_rows('{table}'::regclass, null, null) as t (x int)".encode()
                )


def test_an_edited_event_is_found(conn: psycopg.Connection, db: str, auditctl: RunAuditctl) -> None:
    conn.execute("create table t (id int primary key, v text)")
    audit(db, "t")
    conn.execute("insert into t values (1, 'a'), (2, 'b')")
    auditctl("disable", "t", check=0)
    conn.execute("update t set v = 'gap' where id = 2")
    auditctl("enable", "t", check=0)
    (part,) = conn.execute("select tableoid::regclass::text from auditctl.event where target_id = '1'").fetchone() or (
        "",
    )
    conn.execute(GUARD_OFF)
    conn.execute(f"alter table {part} disable trigger user".encode())
    conn.execute(
        """update {} set new_values = '{"id": 1, "v": "edited"}' where target_id = '1'""".replace("{}", part).encode()
    )
    assert found(auditctl) == [("altered", "1", ["v"]), ("altered", "2", ["v"])]
