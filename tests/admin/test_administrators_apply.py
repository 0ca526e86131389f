"""Administrators change capture of tables that they neither own nor may read, by the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow


def rows(db: str, query: str) -> list[tuple[Any, ...]]:
    with connect(db) as conn:
        return conn.execute(query.encode()).fetchall()


TRIGGERS = """
    select tgrelid::regclass::text, tgname::text, tgenabled::text from pg_trigger
    where tgname like 'auditctl%' and tgrelid::regclass::text !~ '^auditctl' order by 1, 2
"""


def test_an_administrator_enables_a_table_that_it_may_not_read(
    db: str, auditctl: RunAuditctl, administrator: Login, shopkeeper: Login
) -> None:
    done = auditctl("enable", "shop.cart", "--mask", "card", "--label", "Cart", dsn=administrator.dsn, check=0)
    assert "shop.cart: now captures create, update, delete, truncate." in done.err
    with connect(administrator.dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("select from shop.cart")
    with connect(shopkeeper.dsn) as conn:
        conn.execute("insert into shop.cart values (2, 'milk', 'hidden')")
        conn.execute("update shop.cart set item = 'coffee' where id = 1")
        conn.execute("truncate shop.cart")
    events = rows(
        db,
        "select action::text, old_values, new_values from auditctl.event where target = 'shop.cart' order by event_id",
    )
    assert [row[0] for row in events] == ["CREATE", "UPDATE", "TRUNCATE"]
    assert "hidden" not in str(events)
    assert auditctl("check", dsn=administrator.dsn).code == 0
    assert auditctl("check").code == 0


def test_the_event_of_a_change_names_the_administrators_login(
    db: str, auditctl: RunAuditctl, administrator: Login
) -> None:
    auditctl("enable", "shop.cart", dsn=administrator.dsn, check=0)
    auditctl("disable", "shop.cart", "--actions", "truncate", dsn=administrator.dsn, check=0)
    auditctl("disable", "shop.cart", dsn=administrator.dsn, check=0)
    assert rows(db, TRIGGERS) == []
    query = """
        select target, target_id, db_user, actor, context ->> 'summary' from auditctl.event
        where target in ('auditctl.rule', 'auditctl.capture') order by event_id
    """
    who = (administrator.name, administrator.name)
    assert rows(db, query) == [
        ("auditctl.rule", "shop.cart", *who, None),
        ("auditctl.capture", "shop.cart", *who, "capture installed: create, update, delete, truncate"),
        ("auditctl.rule", "shop.cart", *who, None),
        ("auditctl.capture", "shop.cart", *who, "capture removed: truncate"),
        ("auditctl.rule", "shop.cart", *who, None),
        ("auditctl.capture", "shop.cart", *who, "capture removed: create, update, delete"),
    ]
    assert rows(db, "select proname from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace") == []


def test_an_administrator_leaves_the_same_capture_as_a_superuser(
    db: str, auditctl: RunAuditctl, administrator: Login, tmp_path: Path
) -> None:
    file = tmp_path / "audit.toml"
    file.write_text(
        '[[table]]\nname = "shop.cart"\nmask = ["card"]\n[[table]]\nname = "shop.*"\nlabel = "x"\n'.replace(
            'label = "x"\n', ""
        )
    )
    state = """
        select jsonb_agg(to_jsonb(k) - '{shape,being_changed_by,columns_of}'::text[] order by k.target)
        from auditctl.capture as k
    """
    functions = """
        select p.proname, p.prosrc, p.proconfig, p.proacl::text, p.proowner::regrole::text, obj_description(p.oid)
        from pg_proc as p
        where pronamespace = 'auditctl_triggers'::regnamespace order by 1
    """
    every = [
        TRIGGERS,
        state,
        functions,
        "select target, label, key_columns from auditctl.target order by 1",
        "select function, digest from auditctl.function_digest order by 1",
        "select to_jsonb(r) - '{set_by,set_at}'::text[] from auditctl.rule as r order by name",
    ]
    auditctl("apply", file, dsn=administrator.dsn, check=0)
    mine = [rows(db, query) for query in every]
    assert len(mine[0]) == 4 + 4 + 5 + 3
    assert auditctl("check", file).code == 0
    auditctl("apply", "-", input="table = []", check=0)
    auditctl("apply", file, check=0)
    assert [rows(db, query) for query in every] == mine
