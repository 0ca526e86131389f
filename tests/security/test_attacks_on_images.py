"""Without the guard an owner changes a table behind capture's back: none of their casts runs with its rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import database
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from tests.fixtures.databases import Login, MakeLogin

EVIL = """
    create type own.bad as enum ('v');
    create function own.evil(own.bad) returns json language plpgsql as $$
    begin
        insert into own.trace values (current_user);
        return '"forged"';
    end $$;
    create cast (own.bad as json) with function own.evil(own.bad) as implicit
"""
CHANGES = {
    "column added": "alter table own.t add column b own.bad default 'v'",
    "column added after one that is gone": """
        alter table own.t add column a integer; alter table own.t drop column a;
        alter table own.t add column b own.bad default 'v'
    """,
    "column added after many that are gone": """
        do $$
        begin
            for i in 1..40 loop
                execute 'alter table own.t add column a integer';
                execute 'alter table own.t drop column a';
            end loop;
        end $$;
        alter table own.t add column b own.bad default 'v'
    """,
    "column retyped": "alter table own.t alter column note type own.bad using 'v'::own.bad",
    "column replaced under its name": """
        alter table own.t drop column note; alter table own.t add column note own.bad default 'v'
    """,
    "column renamed and replaced": """
        alter table own.t rename column note to was; alter table own.t add column note own.bad default 'v'
    """,
}


@pytest.fixture
def owner(db: str, login: MakeLogin, unguarded: None) -> Login:
    """The owner of an audited table whose rows capture hands to to_jsonb as they are."""
    mallory = login("mallory", dsn=db)
    with connect(db) as conn:
        conn.execute(f"create schema own authorization {mallory.name}")
    with connect(mallory.dsn) as conn:
        conn.execute("create table own.trace (as_role text); grant usage on schema own to public")
        conn.execute("grant all on own.trace to public; create table own.t (id integer primary key, note text)")
        conn.execute(EVIL)
    with database.connect(db) as tool:
        apply.enable(tool, Rule("own.t", DEFAULT))
    return mallory


def write(conn: psycopg.Connection, key: int) -> None:
    conn.execute("insert into own.t (id) values (%s)", [key])
    conn.execute("update own.t set id = id + 100 where id = %s", [key])
    conn.execute("delete from own.t where id = %s", [key + 100])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("in_transaction", [False, True], ids=["each by itself", "in one transaction"])
def test_a_change_behind_captures_back_does_not_run_its_casts(
    db: str, owner: Login, change: str, in_transaction: bool
) -> None:
    with connect(owner.dsn) as conn:
        conn.autocommit = not in_transaction
        write(conn, 1)
        conn.execute(change.encode())
        write(conn, 2)
        conn.commit()
        conn.autocommit = True
        assert conn.execute("select * from own.trace").fetchall() == []
    with connect(owner.dsn) as fresh:
        write(fresh, 3)
        assert fresh.execute("select * from own.trace").fetchall() == []
    with connect(db) as conn:
        row = conn.execute(
            "select count(*), count(*) filter (where new_values::text ~ 'forged' or old_values::text ~ 'forged') "
            "from auditctl.event where target = 'own.t'"
        ).fetchone()
    assert row == (9, 0)


def test_a_column_added_after_one_that_is_gone_is_recorded(db: str, owner: Login) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("alter table own.t add column a integer; alter table own.t drop column a")
        conn.execute("alter table own.t add column late text")
        conn.execute("insert into own.t values (1, 'n', 'l')")
        conn.execute("update own.t set late = 'm'")
    with connect(db) as conn:
        rows = conn.execute(
            "select old_values, new_values from auditctl.event where target = 'own.t' order by event_id"
        ).fetchall()
    assert rows == [(None, {"id": 1, "note": "n", "late": "l"}), ({"late": "l"}, {"late": "m"})]


def test_a_column_retyped_after_another_sessions_snapshot_does_not_run_its_casts(
    db: str, owner: Login, login: MakeLogin
) -> None:
    writer = login("writer", dsn=db)
    with connect(owner.dsn) as conn, connect(writer.dsn) as session:
        conn.execute("grant all on own.t to public")
        write(session, 1)
        with session.transaction():
            session.execute("set transaction isolation level repeatable read")
            session.execute("select count(*) from pg_attribute")
            conn.execute(CHANGES["column retyped"].encode())
            write(session, 2)
        assert conn.execute("select * from own.trace").fetchall() == []
    with connect(db) as conn:
        row = conn.execute("select count(*) from auditctl.event where target = 'own.t'").fetchone()
    assert row == (6,)


def test_columns_whose_types_are_exchanged_do_not_run_their_casts(db: str, owner: Login) -> None:
    with connect(owner.dsn) as conn:
        conn.execute("alter table own.t add column b own.bad")
    with database.connect(db) as tool:
        apply.enable(tool, Rule("own.t", DEFAULT))
    with connect(owner.dsn) as conn:
        conn.execute("alter table own.t alter note type own.bad using 'v'::own.bad, alter b type text using 'x'")
        write(conn, 1)
        assert conn.execute("select * from own.trace").fetchall() == []
    with connect(db) as conn:
        row = conn.execute("select count(*) from auditctl.event where target = 'own.t'").fetchone()
    assert row == (3,)
