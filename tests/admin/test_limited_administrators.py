"""The section [admin] limits administrators, and what the tool says and leaves for one who is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect, fetch_value

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow

LIMIT = '[admin]\ntables = ["shop.cart", "billing.*"]\n'
RULES = "select coalesce(array_agg(concat_ws(' ', name, mask::text) order by position), '{}') from auditctl.rule"


@pytest.fixture
def limited(auditctl: RunAuditctl, administrator: Login) -> Login:
    """An administrator of shop.cart and billing.* alone; all of shop is audited."""
    auditctl("apply", "-", input=LIMIT + '[[table]]\nname = "shop.*"\n', check=0)
    return administrator


def test_the_limit_is_printed_and_recorded_and_stays_where_a_file_has_none(
    db: str, auditctl: RunAuditctl, limited: Login
) -> None:
    assert '[admin]\ntables = ["shop.cart", "billing.*"]\n' in auditctl("config", check=0).out
    printed = auditctl("config").out
    assert auditctl("plan", "-", input=printed).out == ""
    auditctl("apply", "-", input='[[table]]\nname = "shop.*"\n', check=0)
    assert fetch_value(db, "select patterns from auditctl.administration") == ["shop.cart", "billing.*"]
    planned = auditctl("plan", "-", input='[admin]\ntables = []\n[[table]]\nname = "shop.*"\n', check=0)
    assert planned.out == "REPLACE [admin]  Administrators may change no table.\n"
    assert auditctl("check", "-", input='[admin]\ntables = []\n[[table]]\nname = "shop.*"\n').code == 3
    recorded = "select new_values ->> 'patterns' from auditctl.event where target = 'auditctl.administration'"
    assert fetch_value(db, recorded) == '["shop.cart", "billing.*"]'


def test_mistakes_in_the_section_are_reported(auditctl: RunAuditctl, db: str) -> None:
    for section, message in (
        ('admin = "x"', "admin: must be a table: [admin]"),
        ("[admin]", "admin.tables: must be a list of names and globs"),
        ("[admin]\ntables = [1]", "admin.tables: must be a list of names and globs"),
        ('[admin]\ntables = ["cart"]', "admin.tables: 'cart' needs a schema, such as billing.cart"),
        ('[admin]\ntables = ["a.b.c"]', "is not a table name"),
        ('[admin]\ntables = []\nrole = "x"', "admin.role: unknown key"),
    ):
        assert message in auditctl("apply", "-", input=f"table = []\n{section}\n", check=4).err.replace('"', "'")
        assert auditctl("check", "-", input=f"table = []\n{section}\n", check=4).out in (
            "",
            "CREATE  [admin]  Administrators may change no table.\n" * ("role" in section),
        )


@pytest.mark.parametrize(
    "command",
    [
        ["enable", "shop.*"],
        ["enable", "*.*"],
        ["enable", 'shop."My Bag"'],
        ["enable", "shop.c*"],
        ["disable", "shop.*"],
        ["disable", "shop.visit"],
    ],
)
def test_what_is_outside_of_the_limit_is_refused_with_exit_code_5(
    db: str, auditctl: RunAuditctl, limited: Login, command: list[str]
) -> None:
    before = fetch_value(db, RULES)
    done = auditctl(*command, dsn=limited.dsn, check=5)
    assert "which the section [admin] leaves out" in done.err
    assert "hint: Use a superuser, or the login that ran `auditctl install`." in done.err
    assert fetch_value(db, RULES) == before


def test_what_is_within_the_limit_is_changed(db: str, auditctl: RunAuditctl, limited: Login) -> None:
    auditctl("enable", "shop.cart", "--mask", "card", dsn=limited.dsn, check=0)
    assert fetch_value(db, RULES) == ["shop.*", "shop.cart {card}"]
    auditctl("disable", "shop.cart", dsn=limited.dsn, check=0)
    triggers = "select count(*) from pg_trigger where tgrelid = 'shop.cart'::regclass and tgname like 'auditctl%'"
    assert fetch_value(db, triggers) == 0
    assert auditctl("check").code == 0


def test_apply_of_a_file_leaves_what_is_outside_as_it_is_and_says_so(
    db: str, auditctl: RunAuditctl, limited: Login, tmp_path: Path
) -> None:
    file = tmp_path / "audit.toml"
    file.write_text(
        '[admin]\ntables = ["*.*"]\n[retention]\nkeep = "400 days"\n'
        '[[table]]\nname = "shop.*"\nrequire_actor = true\n[[table]]\nname = "shop.cart"\nmask = ["card"]\n'
        '[[table]]\nname = "shop.visit"\nactions = []\n[[event]]\nname = "a.b"\n'
    )
    planned = auditctl("plan", file, dsn=limited.dsn, check=0)
    done = auditctl("apply", file, dsn=limited.dsn, check=0)
    for said in (planned.err, done.err):
        assert "warning: [admin] stays as it is: only the login that installed auditctl changes it" in said
        assert "warning: 2 rules outside of [admin] tables, such as shop.*: left as stored" in said
        assert "warning: event types, retention and archives: left as stored, as [admin] limits you to tables" in said
    assert fetch_value(db, RULES) == ["shop.*", "shop.cart {card}"]
    assert fetch_value(db, "select patterns from auditctl.administration") == ["shop.cart", "billing.*"]
    assert fetch_value(db, "select count(*) from auditctl.event_type") == 0
    assert auditctl("check", file, dsn=limited.dsn).code == 3
    auditctl("apply", dsn=limited.dsn, check=0)
    auditctl("apply", "-", "--uncover", input="table = []", dsn=limited.dsn, check=0)
    assert fetch_value(db, RULES) == ["shop.*"]


def test_an_administrator_without_limit_applies_all_of_a_file(
    db: str, auditctl: RunAuditctl, administrator: Login
) -> None:
    text = (
        '[retention]\nkeep = "400 days"\n[[table]]\nname = "shop.*"\nmask = ["item"]\n'
        '[[event]]\nname = "order.placed"\nlabel = "Order"\n'
    )
    auditctl("apply", "-", input=text, dsn=administrator.dsn, check=0)
    assert auditctl("check", "-", input=text, dsn=administrator.dsn).code == 0
    assert fetch_value(db, "select label || set_by from auditctl.event_type") == f"Order{administrator.name}"
    assert fetch_value(db, "select keep || set_by from auditctl.retention where until is null") == (
        f"400 days{administrator.name}"
    )


def test_reads_are_refused_to_administrators(db: str, auditctl: RunAuditctl, administrator: Login) -> None:
    done = auditctl("enable", "shop.cart", "--actions", "create,read", dsn=administrator.dsn, check=5)
    assert "administrators may not begin, change or end the recording of reads" in done.err
    auditctl("enable", "shop.cart", "--actions", "create,read", check=0)
    assert auditctl("disable", "shop.cart", dsn=administrator.dsn).code == 5
    auditctl("disable", "shop.cart", "--actions", "create", dsn=administrator.dsn, check=0)
    with connect(db) as conn:
        assert conn.execute("select actions::text from auditctl.capture").fetchall() == [("{READ}",)]
    assert auditctl("check").code == 0


def test_one_who_is_no_administrator_learns_which_role_it_takes(
    db: str, auditctl: RunAuditctl, shopkeeper: Login
) -> None:
    with connect(db) as conn:
        conn.execute(f"grant auditctl_reader to {shopkeeper.name}".encode())
    done = auditctl("enable", "shop.cart", dsn=shopkeeper.dsn, check=5)
    assert f"error: {shopkeeper.name} may not act as auditctl_owner" in done.err
    assert f"hint: Ask the DBA for: auditctl grant admin {shopkeeper.name}." in done.err


def test_apply_without_a_file_leaves_tables_outside_as_they_are(db: str, auditctl: RunAuditctl, limited: Login) -> None:
    with connect(db) as conn:
        conn.execute("alter event trigger auditctl_guard_ddl disable; alter event trigger auditctl_guard_drop disable")
        conn.execute('drop trigger auditctl_create on shop.cart; drop trigger auditctl_create on shop."My Bag"')
    auditctl("apply", dsn=limited.dsn, check=0)
    left = auditctl("check").out.splitlines()
    assert left == ["CREATE  shop.My Bag  create  There is no trigger yet.  by rule shop.*"]
    assert auditctl("apply", "--only", "shop.My*", dsn=limited.dsn).code == 5
