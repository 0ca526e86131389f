"""The SQL statements that migrations consist of: a table's rule is stated, changed and removed in the transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import errors

from auditctl import resources
from auditctl.actions import DEFAULT
from auditctl.capture import rule_store
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import GUARD_OFF, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow

SHOP = """
    create schema shop authorization {0};
    set role {0};
    create table shop.cart (id integer primary key, item text, card text);
    create table shop."My.Bag" ("The Id" integer primary key, "user" text);
    create table shop.visit (id integer, day date) partition by range (day);
    create table shop.visit_2026 partition of shop.visit for values from ('2026-01-01') to ('2027-01-01');
    create table shop.note (text text);
"""


@pytest.fixture
def owner(db: str, login: MakeLogin) -> Login:
    """The owner of the tables, who is no superuser."""
    made = login("owner", roles=["auditctl_admin"])
    with connect(db) as session:
        session.execute(SHOP.format(made.name).encode())
    return made


@pytest.fixture
def session(owner: Login) -> Iterator[psycopg.Connection]:
    with connect(owner.dsn) as session:
        yield session


def audit(session: psycopg.Connection, table: str, before: str | None = None, **keys: Any) -> None:
    session.execute("select auditctl.audit_table(%s, %s, %s)", [table, json.dumps(keys), before])


def rules(conn: psycopg.Connection) -> list[Rule]:
    return list(rule_store.read(conn))


def test_a_rule_is_stated_changed_and_removed_and_check_is_clean_each_time(
    conn: psycopg.Connection, session: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(session, "shop.cart", mask=["card"], actions=["update", "DELETE"], label="Cart")
    assert [(rule.name, rule.label, rule.mask) for rule in rules(conn)] == [("shop.cart", "Cart", ("card",))]
    auditctl("check", check=0)
    session.execute("insert into shop.cart values (1, 'tea', 'secret'); update shop.cart set card = 'other'")
    audit(session, "shop.cart")
    audit(session, 'shop."My.Bag"', exclude=["user"])
    audit(session, "shop.visit")
    audit(session, "shop.note", key=["text"], on_drop="record")
    auditctl("check", check=0)
    session.execute("insert into shop.visit values (1, '2026-05-01'); insert into shop.cart values (2, 'milk', 'x')")
    events = conn.execute("select target, action::text from auditctl.event where target ~ '^shop' order by event_id")
    assert events.fetchall() == [("shop.cart", "UPDATE"), ("shop.visit", "CREATE"), ("shop.cart", "CREATE")]
    for table in ("shop.cart", 'shop."My.Bag"', "shop.visit", "shop.note"):
        session.execute("select auditctl.unaudit_table(%s)", [table])
        auditctl("check", check=0)
    left = "select from pg_trigger where tgname ~ '^auditctl_(create|update)' union all "
    left += "select from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace"
    assert conn.execute(left.encode()).rowcount == 0


def test_a_name_without_a_schema_is_found_by_the_search_path(session: psycopg.Connection) -> None:
    session.execute("set search_path = shop")
    session.execute("select auditctl.audit_table('cart', p_schemas => current_schemas(false))")
    session.execute("select auditctl.audit_table('\"My.Bag\"', p_schemas => current_schemas(false))")
    targets = session.execute("select target from auditctl.capture order by target").fetchall()
    assert targets == [('shop."My.Bag"',), ("shop.cart",)]


def test_a_glob_comes_before_those_that_would_hide_it_and_covers_what_it_matches(
    conn: psycopg.Connection, session: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(session, "shop.*", actions=["update"])
    audit(session, "shop.c*", actions=["delete"])
    audit(session, "shop.v*", before="shop.c*", actions=[])
    audit(session, "shop.note", actions=["create"])
    assert [rule.name for rule in rules(conn)] == ["shop.v*", "shop.c*", "shop.*", "shop.note"]
    captured = conn.execute("select target, actions::text from auditctl.capture order by target").fetchall()
    assert captured == [('shop."My.Bag"', "{UPDATE}"), ("shop.cart", "{DELETE}"), ("shop.note", "{CREATE}")]
    auditctl("check", check=0)
    session.execute("select auditctl.unaudit_table('shop.v*')")
    session.execute("select auditctl.unaudit_table('shop.c*')")
    auditctl("check", check=0)
    with pytest.raises(errors.InvalidParameterValue, match=r"no rule of its own: shop\.\* covers it"):
        session.execute("select auditctl.unaudit_table('shop.cart')")


def test_a_glob_passes_over_the_tables_of_postgresql_and_auditctl(
    conn: psycopg.Connection, session: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    for glob in ("*.*", "a*.*", "*.e*"):
        audit(session, glob, actions=["update"])
    captured = conn.execute("select target from auditctl.capture where target like '%cart'").fetchall()
    assert captured == [("shop.cart",)]
    auditctl("check", check=0)
    for glob in ("*.e*", "a*.*", "*.*"):
        session.execute("select auditctl.unaudit_table(%s)", [glob])
    assert conn.execute("select from auditctl.capture").rowcount == 0


MISTAKES: dict[str, tuple[dict[str, Any], type[psycopg.Error], str]] = {
    "shop.cat": ({}, errors.UndefinedTable, "there is no table shop.cat"),
    "a.b.c": ({}, errors.InvalidName, "'a.b.c' is not a table name"),
    "shop.cart": ({"maks": ["card"]}, errors.InvalidParameterValue, "a rule has no key maks"),
    "shop.Cart": ({"mask": ["crad"]}, errors.UndefinedColumn, "shop.cart has no column crad"),
    "shop.note": ({"key": "text"}, psycopg.Error, ""),
    "shop.visit": ({"mask": ["id"], "exclude": ["id"]}, errors.InvalidParameterValue, "id is already excluded"),
    "shop.visit_2026": ({"key": ["id"], "actions": ["fly"]}, errors.InvalidTextRepresentation, "FLY"),
    'shop."My.Bag"': ({"key": ["user"]}, errors.InvalidParameterValue, "has a primary key"),
    "shop.*": ({"label": "Shop"}, errors.InvalidParameterValue, "a label belongs to one table"),
    "pg_catalog.pg_class": ({}, psycopg.Error, ""),
    "auditctl.event": ({}, psycopg.Error, ""),
}


def test_a_mistake_is_named_and_changes_nothing(session: psycopg.Connection) -> None:
    for table, (keys, error, message) in MISTAKES.items():
        with pytest.raises(error) as raised:
            audit(session, table, **keys)
        assert message in str(raised.value), table
    assert session.execute("select from auditctl.rule").rowcount == 0


@pytest.mark.usefixtures("unguarded")
def test_without_the_guard_capture_follows_what_a_migration_did_when_it_is_refreshed(
    conn: psycopg.Connection, session: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(session, "shop.c*", actions=["update"])
    audit(session, "shop.cart", mask=["card"])
    audit(session, 'shop."My.Bag"', mask=["user"])
    audit(session, "shop.visit")
    conn.execute("create table public.other (id integer primary key); select auditctl.audit_table('public.other')")
    conn.execute("alter table public.other add column of_another_login integer")
    with session.transaction():
        session.execute("""
            alter table shop.cart rename card to pan;
            alter table shop.cart add column n integer;
            alter table shop.cart rename to basket;
            alter table shop."My.Bag" alter "The Id" type bigint;
            alter table shop."My.Bag" drop column "user";
            create table shop.coupon (id integer primary key);
            create table shop.visit_2027 partition of shop.visit for values from ('2027-01-01') to ('2028-01-01')
        """)
        session.execute("select auditctl.refresh_capture()")
    assert "public.other" in auditctl("check", check=3).out
    conn.execute("select auditctl.refresh_capture(); select auditctl.unaudit_table('public.other')")
    auditctl("check", check=0)
    session.execute("insert into shop.basket values (1, 'tea', 'secret', 2)")
    session.execute("insert into shop.visit values (1, '2027-01-01')")
    query = "select target, new_values::text from auditctl.event where target ~ '^shop' order by event_id"
    events = conn.execute(query)
    assert events.fetchall() == [
        ("shop.basket", '{"n": 2, "id": 1, "pan": {"$masked": true}, "item": "tea"}'),
        ("shop.visit", '{"id": 1, "day": "2027-01-01"}'),
    ]
    assert [rule.name for rule in rules(conn)] == ["shop.c*", "shop.basket", 'shop."My.Bag"', "shop.visit"]
    captured = conn.execute("select target from auditctl.capture order by 1").fetchall()
    assert captured == [('shop."My.Bag"',), ("shop.basket",), ("shop.coupon",), ("shop.visit",)]
    events = conn.execute("select count(*) from auditctl.event")
    session.execute("select auditctl.refresh_capture()")
    assert conn.execute("select count(*) from auditctl.event").fetchone() == events.fetchone()


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(
    ("rules", "obstacle"),
    [
        ('[admin]\ntables = ["shop.note"]\n[[table]]\nname = "shop.cart"', "not among the tables"),
        ('[[table]]\nname = "shop.*"\nactions = ["update", "read"]', "may not begin the recording of reads"),
    ],
)
def test_a_migration_succeeds_where_only_somebody_else_may_begin_the_capture_of_its_table(
    conn: psycopg.Connection, session: psycopg.Connection, auditctl: RunAuditctl, rules: str, obstacle: str
) -> None:
    auditctl("apply", "-", input=rules, check=0)
    warnings: list[str] = []
    session.add_notice_handler(lambda each: warnings.append(str(each.message_primary)))
    with session.transaction():
        session.execute("drop table shop.cart; create table shop.cart (id integer primary key)")
        session.execute("select auditctl.refresh_capture()")
    assert [text for text in warnings if text.startswith("shop.cart is not audited yet") and obstacle in text]
    assert auditctl("check").code == 3
    auditctl("apply", check=0)
    auditctl("check", check=0)


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_restored_rule_hides_columns_as_soon_as_they_are_added_again(
    conn: psycopg.Connection, session: psycopg.Connection, auditctl: RunAuditctl, is_guarded: bool
) -> None:
    if not is_guarded:
        conn.execute(GUARD_OFF)
    session.execute("alter table shop.cart drop column card")
    keys = json.dumps({"mask": ["card"]})
    session.execute("select auditctl.audit_table('shop.cart', %s, p_is_restored => true)", [keys])
    session.execute("alter table shop.cart add column card text")
    session.execute("select auditctl.refresh_capture()")
    assert rules(conn) == [Rule("shop.cart", DEFAULT, mask=("card",))]
    auditctl("check", check=0)


@pytest.mark.parametrize(
    "change",
    [
        "select",
        "alter event trigger auditctl_guard_ddl disable",
        "alter event trigger auditctl_guard_drop enable",
        "drop event trigger auditctl_guard_drop",
        "drop event trigger auditctl_guard_ddl; create event trigger auditctl_guard_ddl on ddl_command_end "
        "when tag in ('CREATE TABLE') execute function auditctl_guard.guard_ddl(); "
        "alter event trigger auditctl_guard_ddl enable always",
    ],
)
def test_migrations_and_install_agree_on_whether_the_guard_is_on(
    conn: psycopg.Connection, change: LiteralString
) -> None:
    conn.execute(change)
    query = resources.sql_text("queries/guarded.sql").encode()
    (by_install,), (by_migrations,) = (
        conn.execute(each).fetchone() or () for each in (query, "select auditctl_internal.is_guarded()")
    )
    assert by_install == by_migrations == (change == "select")
