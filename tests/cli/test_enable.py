"""Enabling and disabling one table at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditctl import database
from auditctl.actions import DEFAULT, Action
from auditctl.capture import apply, rule_store
from auditctl.capture.rule_keys import Rule
from auditctl.errors import ConfigurationError
from tests.support.capturing import audit, events, lines, pending, triggers

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

CREATE, UPDATE, DELETE, TRUNCATE = DEFAULT


def disable(dsn: str, name: str, *actions: Action) -> list[str]:
    with database.connect(dsn) as conn:
        return lines(apply.disable(conn, name, actions))


def stored(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return [(r.name, *(a.value.lower() for a in r.actions)) for r in rule_store.read(conn)]


@pytest.fixture
def customer(conn: psycopg.Connection) -> None:
    conn.execute("create table customer (id int primary key, name text, card text, updated_at text)")


@pytest.mark.usefixtures("customer")
def test_enable_records_from_now_on_and_says_so(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("insert into customer values (1, 'before', '1', '')")
    done = auditctl("enable", "Customer", "--exclude", "updated_at", "--mask", "card", "--label", "Client", check=0)
    assert (done.out, done.err) == ("", "public.customer: now captures create, update, delete, truncate.\n")
    conn.execute("""
        insert into customer values (2, 'Ann', '4111', 'x');
        update customer set name = 'Anna', card = '4222' where id = 2;
        update customer set updated_at = 'y';
        delete from customer where id = 1;
        truncate customer
    """)
    masked = {"$masked": True}
    assert events(conn, "public.customer") == [
        ("public.customer", "CREATE", "2", None, {"id": 2, "name": "Ann", "card": masked}),
        ("public.customer", "UPDATE", "2", {"name": "Ann", "card": masked}, {"name": "Anna", "card": masked}),
        ("public.customer", "DELETE", "1", {"id": 1, "name": "before", "card": masked}, None),
        ("public.customer", "TRUNCATE", None, None, None),
    ]
    assert conn.execute(
        "select distinct target from auditctl.activity where target_name = 'public.customer'"
    ).fetchall() == [("Client",)]
    quiet = auditctl("--quiet", "disable", "customer", check=0)
    assert (quiet.out, quiet.err) == ("", "")
    conn.execute("insert into customer values (3, 'after', '1', '')")
    assert len(events(conn, "public.customer")) == 4


@pytest.mark.usefixtures("customer")
def test_enable_again_replaces_the_whole_rule(db: str, conn: psycopg.Connection) -> None:
    audit(db, "customer", exclude=("name",), mask=("card",), label="Client", require_actor=True)
    audit(db, "customer", actions=(CREATE,))
    assert rule_store.read(conn) == (Rule("public.customer", (CREATE,)),)
    conn.execute("insert into customer values (1, 'Ann', '4111', 'x')")
    assert [new for *_, new in events(conn, "public.customer")] == [
        {"id": 1, "name": "Ann", "card": "4111", "updated_at": "x"}
    ]
    assert conn.execute("select target, label from auditctl.target").fetchall() == [("public.customer", None)]
    assert pending(db) == []


@pytest.mark.usefixtures("customer")
def test_enable_as_stated_already_changes_and_records_nothing(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "customer")
    before = conn.execute("select count(*) from auditctl.event").fetchone()
    assert auditctl("enable", "customer", check=0).err == "No trigger had to change; the rule is stored.\n"
    assert conn.execute("select count(*) from auditctl.event").fetchone() == before


@pytest.mark.usefixtures("customer")
def test_every_change_of_a_rule_and_of_capture_is_an_event(db: str, conn: psycopg.Connection) -> None:
    audit(db, "customer", actions=(CREATE,))
    audit(db, "customer", actions=(CREATE,), mask=("card",), label="Client")
    disable(db, "customer")
    first = json.loads(json.dumps(Rule("public.customer", (CREATE,)).row())) | {"position": 0, "set_by": "postgres"}
    second = first | {"label": "Client", "mask": ["card"]}
    recorded = [
        (target, action, target_id, *(value and {k: v for k, v in value.items() if k != "set_at"} for value in values))
        for target, action, target_id, *values in events(conn, "auditctl.rule")
    ]
    assert recorded == [
        ("auditctl.rule", "CREATE", "public.customer", None, first),
        ("auditctl.rule", "UPDATE", "public.customer", first, second),
        ("auditctl.rule", "DELETE", "public.customer", second, None),
    ]
    step = {"kind": "CREATE", "action": "CREATE", "relation": "public.customer", "reason": "There is no trigger yet."}
    outdated = "The function does not match the rule and the table's columns."
    replaced = step | {"kind": "REPLACE", "reason": outdated}
    gone = {
        "kind": "DROP", "action": "CREATE", "relation": "auditctl_triggers.public__customer__create",
        "reason": "No rule needs the function.",
    }  # fmt: skip
    assert events(conn, "auditctl.capture") == [
        ("auditctl.capture", "EVENT", "public.customer", None, {"changes": [step]}),
        ("auditctl.capture", "EVENT", "public.customer", None, {"changes": [replaced]}),
        (
            "auditctl.capture", "EVENT", "public.customer", None,
            {"changes": [step | {"kind": "DROP", "reason": "No rule asks for it."}, gone]},
        ),
    ]  # fmt: skip
    assert conn.execute(
        "select actor, actor_kind, db_user, context ->> 'summary' from auditctl.event where target = "
        "'auditctl.capture' "
        "order by event_id"
    ).fetchall() == [
        ("postgres", "database", "postgres", "capture installed: create"),
        ("postgres", "database", "postgres", "capture replaced: create"),
        ("postgres", "database", "postgres", "capture removed: create"),
    ]


@pytest.mark.usefixtures("customer")
def test_disable_of_some_actions_keeps_the_others(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    audit(db, "customer", mask=("card",))
    done = auditctl("disable", "customer", "--actions", "truncate,create", "--actions", "DELETE", check=0)
    assert done.err == "public.customer: no longer captures create, delete, truncate.\n"
    assert rule_store.read(conn) == (Rule("public.customer", (UPDATE,), mask=("card",)),)
    assert triggers(conn) == [("public.customer", "auditctl_update", "A")]
    assert disable(db, "customer", TRUNCATE) == []
    disable(db, "customer", UPDATE)
    assert (rule_store.read(conn), triggers(conn)) == ((), [])


def test_disable_of_a_table_that_a_glob_covers_takes_it_out(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key); create table b (id int primary key)")
    audit(db, "public.*", actions=(CREATE, UPDATE))
    disable(db, "b")
    assert stored(conn) == [("public.*", "create", "update"), ("public.b",)]
    assert triggers(conn) == [("public.a", "auditctl_create", "A"), ("public.a", "auditctl_update", "A")]
    disable(db, "a", UPDATE)
    assert stored(conn) == [("public.*", "create", "update"), ("public.b",), ("public.a", "create")]
    assert pending(db) == []
    with pytest.raises(ConfigurationError, match=r"public\.b is not audited"):
        disable(db, "b")
    disable(db, "public.*")
    assert stored(conn) == [("public.b",)]
    assert triggers(conn) == []


def test_disable_of_an_action_under_a_glob_goes_on_hiding_what_the_glob_hides(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("create table a (id int, card text, at text); create table b (id int primary key, at text)")
    audit(db, "public.*", exclude=("at",), mask=("card",))
    disable(db, "b", TRUNCATE)
    assert rule_store.read(conn)[1] == Rule("public.b", (CREATE, UPDATE, DELETE))
    conn.execute("insert into b values (1, 'now')")
    assert [new for *_, new in events(conn, "public.b")] == [{"id": 1}]
    assert pending(db) == []


@pytest.mark.usefixtures("unguarded")
def test_disable_of_a_dropped_table_forgets_its_rule(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key); create table b (id int primary key)")
    audit(db, "a", "b", actions=(CREATE,))
    conn.execute("drop table a")
    audit(db, "b", actions=(CREATE, UPDATE))
    assert disable(db, "public.a") == [
        "DROP auditctl_triggers.public__a__create create: No rule needs the function.",
    ]
    assert stored(conn) == [("public.b", "create", "update")]
    assert pending(db) == []


def test_a_label_is_not_given_twice_whichever_table_came_first(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id int primary key); create table b (id int primary key)")
    audit(db, "a", "b")
    audit(db, "b", label="Shared")
    with pytest.raises(ConfigurationError, match=r"--label: Shared is already used for public\.b"):
        audit(db, "a", label="Shared")
    assert [r.label for r in rule_store.read(conn)] == [None, "Shared"]
    assert pending(db) == []


def test_an_unlogged_a_foreign_and_a_keyless_table_are_audited_with_a_warning(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("""
        create unlogged table fleeting (id int primary key);
        create table keyless (n int);
        create foreign data wrapper nothing;
        create server elsewhere foreign data wrapper nothing;
        create foreign table remote (id int) server elsewhere
    """)
    done = auditctl("enable", "public.*", check=0)
    assert done.err == (
        "public.fleeting: now captures create, update, delete, truncate.\n"
        "public.keyless: now captures create, update, delete, truncate.\n"
        "public.remote: now captures create, update, delete.\n"
        "warning: 2 tables have no key, so that events have no target_id: public.keyless, public.remote. "
        "Name the columns of one in the file:\n"
        '    [[table]]\n    name = "public.keyless"\n    key = ["COLUMN"]\n'
        "warning: public.fleeting is unlogged: a crash empties it without any event.\n"
        "warning: public.remote is a foreign table: only writes through this database are recorded, and no truncate.\n"
    )
    assert pending(db) == []


@pytest.mark.parametrize("style", ["German, DMY", "SQL, MDY", "Postgres, YMD"])
def test_the_date_style_of_the_database_changes_no_command(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, style: str
) -> None:
    conn.execute("create table item (id int primary key)")
    conn.execute(f"alter database {conn.info.dbname} set DateStyle = '{style}'".encode())
    conn.execute(f"alter database {conn.info.dbname} set IntervalStyle = 'iso_8601'".encode())
    auditctl("enable", "public.item", dsn=db, check=0)
    conn.execute("insert into item values (1)")
    for command in (["check"], ["stats"], ["log"], ["maintain"], ["tables"], ["hold", "list"]):
        auditctl(*command, dsn=db, check=0)
