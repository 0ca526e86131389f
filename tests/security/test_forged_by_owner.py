"""What the owner of an audited table adds to it, from triggers to types, forges no event and no actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import Login, MakeLogin

EVIL = """
    create function own.evil({0}) returns {1} language plpgsql as $$
    begin
        insert into own.trace values (current_user);
        {2}
    end $$
"""

WRITES = (
    "insert into own.t (id, v) values (1, 'a')",
    "update own.t set v = 'b' where id = 1",
    "update own.t set id = 2 where id = 1",
    "delete from own.t where id = 2",
)


@pytest.fixture
def owner(db: str, conn: psycopg.Connection, login: MakeLogin) -> Login:
    """The owner of an audited table, which an application may write."""
    mallory = login("mallory")
    conn.execute(f"create schema own authorization {mallory.name}; grant usage on schema own to public".encode())
    with connect(mallory.dsn) as session:
        session.execute("create table own.trace (as_role text); grant all on own.trace to public")
        session.execute("create table own.t (id integer primary key, v text)")
        session.execute("grant select, insert, update, delete on own.t to public")
    audit(db, "own.t")
    return mallory


@pytest.fixture
def web(owner: Login, login: MakeLogin) -> Login:
    return login("web", roles=["auditctl_app"])


def write(login: Login) -> None:
    """Insert, update, change the key of, and delete a row, for alice."""
    with connect(login.dsn) as session:
        session.execute("select auditctl.set_context('alice', '203.0.113.7', null, null, false)")
        for statement in WRITES:
            session.execute(statement.encode())


def recorded(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select actor, host(ip), db_user, action::text, target_id, old_values, new_values from auditctl.event "
        "where target not like 'auditctl.%' order by event_id"
    ).fetchall()


def usual(login: Login, **more: Any) -> list[tuple[Any, ...]]:
    """The events of `write`, with what else a row holds."""
    who = ("alice", "203.0.113.7", login.name)
    return [
        (*who, "CREATE", "1", None, {"id": 1, "v": "a", **more}),
        (*who, "UPDATE", "1", {"v": "a"}, {"v": "b"}),
        (*who, "UPDATE", "2", {"id": 1}, {"id": 2}),
        (*who, "DELETE", "2", {"id": 2, "v": "b", **more}, None),
    ]


@pytest.mark.parametrize(
    "addition",
    [
        "create rule also as on insert to own.t do also insert into own.trace values ('rule')",
        "alter table own.t add check (own.evil(v))",
        "alter table own.t alter column v set default 'd'",
        "alter table own.t enable row level security; create policy p on own.t using (own.evil(v))",
        "create index on own.t (upper(v)) where lower(v) <> 'z'",
        "create statistics own.s on (upper(v)), (lower(v)) from own.t",
        "alter table own.t replica identity full",
        "alter table own.t alter column v set storage external, alter column v set statistics 0",
        "alter table own.t set (fillfactor = 10)",
    ],
)
def test_what_an_owner_adds_to_a_table_changes_no_event(
    conn: psycopg.Connection, owner: Login, web: Login, addition: str
) -> None:
    with connect(owner.dsn) as session:
        session.execute(EVIL.format("text", "boolean", "return true;").encode())
        session.execute(addition.encode())
    write(web)
    assert recorded(conn) == usual(web)
    assert conn.execute("select from own.trace where as_role = 'auditctl_owner'").fetchall() == []


@pytest.mark.parametrize("kind", ["generated always as (upper(v)) stored", "text default 'A'"])
def test_an_added_column_is_recorded_by_its_stored_value(
    conn: psycopg.Connection, owner: Login, web: Login, kind: str
) -> None:
    with connect(owner.dsn) as session:
        session.execute(f"alter table own.t add column w {'' if kind.startswith('text') else 'text '}{kind}".encode())
    write(web)
    expected = usual(web, w="A")
    if kind.startswith("generated"):
        who = expected[0][:3]
        expected[1] = (*who, "UPDATE", "1", {"v": "a", "w": "A"}, {"v": "b", "w": "B"})
        expected[3] = (*who, "DELETE", "2", {"id": 2, "v": "b", "w": "B"}, None)
    assert recorded(conn) == expected


def test_a_before_trigger_changes_the_row_and_so_the_event_and_nothing_else(
    conn: psycopg.Connection, owner: Login, web: Login
) -> None:
    with connect(owner.dsn) as session:
        session.execute(EVIL.format("", "trigger", "new.v := upper(new.v); return new;").encode())
        session.execute("create trigger a before insert or update on own.t for each row execute function own.evil()")
    write(web)
    who = ("alice", "203.0.113.7", web.name)
    assert recorded(conn) == [
        (*who, "CREATE", "1", None, {"id": 1, "v": "A"}),
        (*who, "UPDATE", "1", {"v": "A"}, {"v": "B"}),
        (*who, "UPDATE", "2", {"id": 1}, {"id": 2}),
        (*who, "DELETE", "2", {"id": 2, "v": "B"}, None),
    ]
    assert {role for (role,) in conn.execute("select as_role from own.trace")} == {web.name}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_trigger_of_the_owner_that_claims_an_actor_is_believed_in_sessions_of_applications_alone(
    conn: psycopg.Connection, owner: Login, web: Login, login: MakeLogin, when: str
) -> None:
    """Code that runs in an application's session is that application; the event's login says whose it was."""
    with connect(owner.dsn) as session:
        claim = "perform set_config('auditctl.actor', 'bob', true); return new;"
        session.execute(EVIL.format("", "trigger", claim).encode())
        session.execute(f"create trigger a {when} insert on own.t for each row execute function own.evil()".encode())
    other = login("other")
    for each in (web, other, owner):
        with connect(each.dsn) as session:
            session.execute("insert into own.t values ((select count(*) from own.t), 'a')")
    assert [(actor, db_user) for actor, _, db_user, *_ in recorded(conn)] == [
        ("bob", web.name),
        (other.name, other.name),
        (owner.name, owner.name),
    ]


@pytest.mark.parametrize(
    "type_",
    [
        "create domain own.bad as text check (own.evil(value))",
        "create domain own.inner_ as text; create domain own.bad as own.inner_ check (own.evil(value))",
    ],
)
def test_the_check_of_a_domain_is_not_run_by_capture(
    db: str, conn: psycopg.Connection, owner: Login, web: Login, type_: str
) -> None:
    with connect(owner.dsn) as session:
        session.execute(EVIL.format("text", "boolean", "return true;").encode())
        session.execute(type_.encode())
        session.execute("alter table own.t alter column v type own.bad")
    write(web)
    assert recorded(conn) == usual(web)
    audit(db, "own.t")
    write(web)
    assert recorded(conn) == usual(web) * 2
    assert {role for (role,) in conn.execute("select as_role from own.trace")} <= {web.name, owner.name}


def test_types_and_functions_named_like_postgresqls_own_are_not_used(
    db: str, conn: psycopg.Connection, owner: Login, web: Login
) -> None:
    with connect(owner.dsn) as session:
        session.execute("set search_path = own, pg_catalog")
        for name in ("jsonb", "text", "inet", "oid", "identity", "action", "bool"):
            session.execute(f"create type own.{name} as enum ('a', 'b')".encode())
        for name in (
            "jsonb_build_object(variadic pg_catalog.text[])",
            "pg_typeof(anyelement)",
            "careful_change(anyelement)",
        ):
            session.execute(f"create function own.{name} returns integer language sql as 'select 1/0'".encode())
        session.execute("alter table own.t alter column v type own.text using v::own.text")
    for attempt in (1, 2):
        with connect(web.dsn) as session:
            session.execute("set search_path = own, pg_catalog, auditctl")
        write(web)
        assert recorded(conn) == usual(web) * attempt
        audit(db, "own.t")


def test_an_owner_that_swaps_tables_by_name_does_not_write_under_the_others_name(
    conn: psycopg.Connection, owner: Login, web: Login
) -> None:
    with connect(owner.dsn) as session:
        session.execute("create table own.other (id integer primary key, v text); grant all on own.other to public")
        session.execute("alter table own.t rename to away; alter table own.other rename to t")
        session.execute("insert into own.t values (1, 'never captured')")
    assert recorded(conn) == []


def test_columns_named_like_the_variables_of_capture_are_values_and_nothing_more(
    db: str, conn: psycopg.Connection, owner: Login
) -> None:
    with connect(owner.dsn) as session:
        session.execute("create table own.named (v_target_id integer primary key, v_who text, v_new text, new text)")
        session.execute("alter table own.named add tg_op text default 'DELETE', add actor text default 'bob'")
    audit(db, "own.named")
    row = {"v_target_id": 1, "v_who": "bob", "v_new": "x", "new": "n", "tg_op": "DELETE", "actor": "bob"}
    who = (owner.name, None, owner.name)
    with connect(owner.dsn) as session:
        session.execute("insert into own.named values (1, 'bob', 'x', 'n')")
        session.execute("alter table own.named add old text")
        session.execute("update own.named set tg_op = 'INSERT', old = 'o'")
        session.execute("delete from own.named")
    assert recorded(conn) == [
        (*who, "CREATE", "1", None, row),
        (*who, "UPDATE", "1", {"tg_op": "DELETE", "old": None}, {"tg_op": "INSERT", "old": "o"}),
        (*who, "DELETE", "1", row | {"tg_op": "INSERT", "old": "o"}, None),
    ]


def test_the_owner_of_an_audited_partitioned_table_adds_a_partition(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    owner = login("owner")
    conn.execute(f"create schema own authorization {owner.name}".encode())
    with connect(owner.dsn) as session:
        session.execute("create table own.p (id int primary key) partition by range (id)")
    audit(db, "own.p")
    with connect(owner.dsn) as session:
        session.execute("create table own.p1 partition of own.p for values from (0) to (10)")
        session.execute("insert into own.p values (1)")
    assert conn.execute("select actor, action::text from auditctl.event where target = 'own.p'").fetchall() == [
        (owner.name, "CREATE"),
    ]
