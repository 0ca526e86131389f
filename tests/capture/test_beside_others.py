"""Capture beside what others attach to a table: triggers, rules, policies and functions of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.support.capturing import audit, events
from tests.support.replaying import changes, order, replay, rows

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

ITEM = "public.item"
BEFORE = [(None, {"id": 1, "v": "one"}), (None, {"id": 2, "v": "two"})]

TABLES = """
    create table item (id int primary key, v text);
    insert into item values (1, 'one'), (2, 'two');
    grant all on item to public
"""

db_template = begin_with(audited(TABLES, "item"), fixture="item")


@pytest.fixture
def item(db: str) -> str:
    """The DSN of an audited table with two rows, that everybody may write."""
    return db


def test_rows_that_a_trigger_changes_or_swallows_are_recorded_as_they_were_stored(
    conn: psycopg.Connection, item: str
) -> None:
    conn.execute("""
        create function adjust() returns trigger language plpgsql as $$
        begin
            if tg_op = 'DELETE' then
                return case when old.id = 1 then null else old end;
            elsif new.v = 'swallow' then
                return null;
            elsif new.v = 'as before' then
                return old;
            end if;
            new.v := upper(new.v);
            return new;
        end $$;
        create trigger adjust before insert or update or delete on item for each row execute function adjust();
        insert into item values (3, 'three'), (4, 'swallow');
        update item set v = 'swallow' where id = 1;
        update item set v = 'as before' where id = 1;
        update item set id = 5 where id = 2;
        update item set v = 'three' where id = 3;
        delete from item where id < 4
    """)
    assert changes(conn, ITEM) == [
        ("CREATE", "3", None, {"id": 3, "v": "THREE"}, None),
        ("UPDATE", "5", {"id": 2, "v": "two"}, {"id": 5, "v": "TWO"}, None),
        ("DELETE", "3", {"id": 3, "v": "THREE"}, None, None),
    ]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)


AGAIN = """
    create function again() returns trigger language plpgsql as $$
    begin
        if new.v not like '%!' then
            update item set v = v || '!' where id = new.id;
        end if;
        return null;
    end $$;
    create trigger {} after insert or update on item for each row execute function again();
    insert into item values (3, 'three');
    update item set v = 'changed' where id in (1, 3)
"""

CREATED = ("CREATE", "3", None, {"id": 3, "v": "three"}, None)
CREATED_AGAIN = ("UPDATE", "3", {"v": "three"}, {"v": "three!"}, None)


def test_a_row_that_a_later_trigger_updates_again_is_recorded_in_the_order_of_its_changes(
    conn: psycopg.Connection, item: str
) -> None:
    conn.execute(sql.SQL(AGAIN).format(sql.Identifier("notify_others")))
    assert changes(conn, ITEM) == [
        CREATED,
        CREATED_AGAIN,
        ("UPDATE", "1", {"v": "one"}, {"v": "changed"}, None),
        ("UPDATE", "1", {"v": "changed"}, {"v": "changed!"}, None),
        ("UPDATE", "3", {"v": "three!"}, {"v": "changed"}, None),
        ("UPDATE", "3", {"v": "changed"}, {"v": "changed!"}, None),
    ]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)


def test_a_row_that_an_earlier_trigger_updates_again_has_both_changes_recorded_the_inner_first(
    conn: psycopg.Connection, item: str
) -> None:
    conn.execute(sql.SQL(AGAIN).format(sql.Identifier("a_first")))
    assert changes(conn, ITEM) == [
        CREATED_AGAIN,
        CREATED,
        ("UPDATE", "1", {"v": "changed"}, {"v": "changed!"}, None),
        ("UPDATE", "1", {"v": "one"}, {"v": "changed"}, None),
        ("UPDATE", "3", {"v": "changed"}, {"v": "changed!"}, None),
        ("UPDATE", "3", {"v": "three!"}, {"v": "changed"}, None),
    ]


def test_a_row_that_a_trigger_inserts_into_the_same_table_is_captured(conn: psycopg.Connection, item: str) -> None:
    conn.execute("""
        create function follow() returns trigger language plpgsql as $$
        begin
            insert into item values (old.id + 10, old.v);
            return old;
        end $$;
        create trigger follow before delete on item for each row execute function follow();
        delete from item
    """)
    assert sorted(changes(conn, ITEM), key=repr) == [
        ("CREATE", "11", None, {"id": 11, "v": "one"}, None),
        ("CREATE", "12", None, {"id": 12, "v": "two"}, None),
        ("DELETE", "1", {"id": 1, "v": "one"}, None, None),
        ("DELETE", "2", {"id": 2, "v": "two"}, None, None),
    ]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)


def test_what_a_trigger_writes_at_the_commit_is_captured_under_the_user_named_before(
    conn: psycopg.Connection, item: str, login: MakeLogin
) -> None:
    conn.execute("""
        create function at_commit() returns trigger language plpgsql as $$
        begin
            if new.v <> 'settled' then
                update item set v = 'settled' where id = new.id;
            end if;
            return null;
        end $$;
        create constraint trigger at_commit after update on item deferrable initially deferred
            for each row execute function at_commit()
    """)
    with connect(login("web", roles=["auditctl_app"], dsn=item).dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', '203.0.113.7')")
        session.execute("update item set v = 'open' where id = 1")
    assert changes(conn, ITEM) == [
        ("UPDATE", "1", {"v": "one"}, {"v": "open"}, None),
        ("UPDATE", "1", {"v": "open"}, {"v": "settled"}, None),
    ]
    assert conn.execute(
        "select distinct actor, actor_kind, host(ip) from auditctl.event where target = %s", [ITEM]
    ).fetchall() == [("alice", "application", "203.0.113.7")]


def test_a_view_with_a_trigger_of_its_own_is_captured_where_the_trigger_writes(
    db: str, conn: psycopg.Connection, item: str
) -> None:
    conn.execute("create table note (id int primary key, body text)")
    audit(db, "note")
    conn.execute("""
        create view both_of_them as select i.id, i.v, n.body from item as i left join note as n using (id);
        create function divide() returns trigger language plpgsql as $$
        begin
            if tg_op = 'DELETE' then
                delete from note where id = old.id;
                return old;
            end if;
            update item set v = new.v where id = new.id;
            insert into note values (new.id, new.body) on conflict (id) do update set body = excluded.body;
            return new;
        end $$;
        create trigger divide instead of insert or update or delete on both_of_them
            for each row execute function divide();
        update both_of_them set body = 'first' where id = 1;
        update both_of_them set body = 'second', v = 'uno' where id = 1;
        insert into both_of_them values (2, 'dos', 'new');
        delete from both_of_them where id = 1
    """)
    assert events(conn, ITEM, "public.note") == [
        ("public.note", "CREATE", "1", None, {"id": 1, "body": "first"}),
        (ITEM, "UPDATE", "1", {"v": "one"}, {"v": "uno"}),
        ("public.note", "UPDATE", "1", {"body": "first"}, {"body": "second"}),
        (ITEM, "UPDATE", "2", {"v": "two"}, {"v": "dos"}),
        ("public.note", "CREATE", "2", None, {"id": 2, "body": "new"}),
        ("public.note", "DELETE", "1", {"id": 1, "body": "second"}, None),
    ]


def test_a_rule_that_writes_elsewhere_too_is_captured_there(db: str, conn: psycopg.Connection, item: str) -> None:
    conn.execute("create table copied (id int, v text)")
    audit(db, "copied")
    conn.execute("""
        create rule copies as on insert to item do also insert into copied values (new.id, new.v);
        insert into item values (3, 'three'), (4, 'four')
    """)
    assert order(conn, ITEM, "public.copied") == [
        ("item", "CREATE", "3"),
        ("item", "CREATE", "4"),
        ("copied", "CREATE", None),
        ("copied", "CREATE", None),
    ]
    assert replay(conn, ITEM, BEFORE) == rows(conn, ITEM)
    assert replay(conn, "public.copied") == rows(conn, "public.copied")


def test_rows_that_a_policy_hides_from_their_writer_are_recorded_whole(
    conn: psycopg.Connection, item: str, login: MakeLogin
) -> None:
    conn.execute("""
        alter table item add column owner text;
        alter table item enable row level security;
        alter table item force row level security;
        create policy reads_own on item for select using (owner = current_user);
        create policy writes_any on item for insert with check (true);
        create policy updates_own on item for update using (owner = current_user) with check (true);
        create policy removes_own on item for delete using (owner = current_user)
    """)
    ann = login("ann", dsn=item)
    conn.execute("update item set owner = %s", [ann.name])
    with connect(ann.dsn) as session:
        session.execute("insert into item values (3, 'hidden', 'somebody else')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("update item set v = 'given', owner = 'somebody else' where id = 1")
        session.execute("update item set v = 'mine'")
        assert session.execute("select id from item order by id").fetchall() == [(1,), (2,)]
        session.execute("delete from item where id = 2")
    owner = {"owner": ann.name}
    assert sorted(changes(conn, ITEM)[2:], key=repr) == [
        ("CREATE", "3", None, {"id": 3, "v": "hidden", "owner": "somebody else"}, None),
        ("DELETE", "2", {"id": 2, "v": "mine"} | owner, None, None),
        ("UPDATE", "1", {"v": "one"}, {"v": "mine"}, None),
        ("UPDATE", "2", {"v": "two"}, {"v": "mine"}, None),
    ]


def test_a_session_that_wants_no_row_security_is_captured_although_the_log_has_it(
    conn: psycopg.Connection, item: str, login: MakeLogin
) -> None:
    with connect(login("restorer", dsn=item).dsn) as session:
        session.execute("set row_security = off; insert into item values (3, 'three'); truncate item")
    assert changes(conn, ITEM) == [
        ("CREATE", "3", None, {"id": 3, "v": "three"}, None),
        ("TRUNCATE", None, None, None, None),
    ]


def test_a_function_that_runs_as_its_owner_is_recorded_under_the_login_that_called_it(
    conn: psycopg.Connection, item: str, login: MakeLogin
) -> None:
    owner, caller = login("owner", dsn=item), login("caller", dsn=item)
    conn.execute("revoke all on item from public")
    conn.execute(f"grant create, usage on schema public to {owner.name}; grant all on item to {owner.name}")
    with connect(owner.dsn) as session:
        session.execute("""
            create function work() returns void language sql security definer set search_path = public as $$
                insert into item values (3, 'three'); update item set v = 'uno' where id = 1;
                delete from item where id = 2; truncate item
            $$
        """)
    with connect(caller.dsn) as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("delete from item")
        session.execute("select work()")
    assert changes(conn, ITEM) == [
        ("CREATE", "3", None, {"id": 3, "v": "three"}, None),
        ("UPDATE", "1", {"v": "one"}, {"v": "uno"}, None),
        ("DELETE", "2", {"id": 2, "v": "two"}, None, None),
        ("TRUNCATE", None, None, None, None),
    ]
    assert conn.execute(
        "select distinct actor, actor_kind, db_user, context from auditctl.event where target = %s", [ITEM]
    ).fetchall() == [(caller.name, "database", caller.name, None)]


def test_writes_to_a_table_that_is_not_logged_are_captured(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create unlogged table fleeting (id int primary key, v text)")
    audit(db, "fleeting")
    conn.execute("""
        insert into fleeting values (1, 'x');
        update fleeting set v = 'y';
        alter table fleeting set logged;
        delete from fleeting;
        alter table fleeting set unlogged;
        truncate fleeting
    """)
    assert changes(conn, "public.fleeting") == [
        ("CREATE", "1", None, {"id": 1, "v": "x"}, None),
        ("UPDATE", "1", {"v": "x"}, {"v": "y"}, None),
        ("DELETE", "1", {"id": 1, "v": "y"}, None, None),
        ("TRUNCATE", None, None, None, None),
    ]
