"""No command records in the clear what was excluded or masked until now, unless somebody agrees to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import database
from auditctl.capture import rule_store
from tests.fixtures.databases import GUARD_OFF
from tests.fixtures.templates import begin_with, running
from tests.support.capturing import audit, events, pending, plan

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

MASKED = {"$masked": True}
GLOB = '[[table]]\nname = "app.*"\nmask = ["password"]\n'
OWN = '[[table]]\nname = "app.users"\n'


db_template = begin_with(
    running("create schema app; create table app.users (id int primary key, name text, password text)")
)


def recorded(conn: psycopg.Connection) -> object:
    """What the next insert records of the password."""
    conn.execute("truncate app.users; insert into app.users values (1, 'Ann', 'secret')")
    new = events(conn, "app.users")[-1][-1]
    return new.get("password")


def test_a_rule_for_one_table_goes_on_masking_what_the_glob_masks(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "app.*", mask=("password",))
    done = auditctl("enable", "app.users", "--label", "User", check=0)
    assert "masked as app.* states: password" in done.err
    assert recorded(conn) == MASKED
    assert 'name = "app.users"\nlabel = "User"\n' in auditctl("config", check=0).out
    assert pending(db) == []


COMMANDS: list[tuple[list[str], str]] = [
    (["enable", "app.users", "--mask", ""], ""),
    (["enable", "app.users", "--mask", "name"], ""),
    (["enable", "app.*"], ""),
    (["enable", "*.users", "--mask", ""], ""),
    (["apply", "--yes", "-"], '[[table]]\nname = "app.*"\n'),
    (["apply", "--yes", "-"], '[defaults]\nactions = ["create"]\n[[table]]\nname = "app.users"\n'),
    (["apply", "--yes", "-"], f'{GLOB}\n[[table]]\nname = "app.users"\nmask = []\n'),
    (["apply", "--yes", "-"], f'[[table]]\nname = "*.users"\nmask = []\n\n{GLOB}'),
    (["apply", "--yes", "--only", "app.users", "-"], '[[table]]\nname = "app.*"\n'),
]


@pytest.mark.parametrize(("words", "text"), COMMANDS, ids=[" ".join(words) + text for words, text in COMMANDS])
def test_a_command_that_uncovers_a_column_needs_the_option(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, words: list[str], text: str
) -> None:
    audit(db, "app.*", mask=("password",))
    with database.connect(db) as session:
        before = rule_store.read(session)
    refused = auditctl(*words, input=text, check=2)
    assert "this would record in the clear what was hidden until now: app.users (password)" in refused.err
    assert "--uncover" in refused.err
    with database.connect(db) as session:
        assert rule_store.read(session) == before
    assert recorded(conn) == MASKED
    auditctl(*words, "--uncover", input=text, check=0)
    assert recorded(conn) == "secret"


def test_disable_that_leaves_a_table_to_a_wider_glob_uncovers_nothing_silently(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "app.*")
    audit(db, "app.u*", mask=("password",))
    auditctl("apply", "--yes", "-", input='[[table]]\nname = "app.*"\n', check=2)
    # What no rule audits is not recorded at all.
    auditctl("disable", "app.u*", check=0)
    assert events(conn, "app.users") == []
    # The order of rules decides, too.
    auditctl("apply", "--yes", "-", input='[[table]]\nname = "app.*"\nmask = []\n[[table]]\nname = "app.u*"\n', check=2)


def test_a_table_that_is_audited_again_hides_what_it_hid_before(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "app.users", exclude=("name",), mask=("password",))
    auditctl("disable", "app.users", check=0)
    refused = auditctl("enable", "app.users", "--mask", "password", check=2)
    assert "app.users (name)" in refused.err
    auditctl("enable", "app.users", "--exclude", "password", "--mask", "name", check=0)
    auditctl("disable", "app.users", check=0)
    assert "app.users (name, password)" in auditctl("enable", "app.*", check=2).err
    auditctl("enable", "app.*", "--uncover", check=0)
    assert recorded(conn) == "secret"
    auditctl("disable", "app.*", check=0)
    auditctl("enable", "app.users", check=0)


def test_only_actions_that_record_values_uncover(db: str, auditctl: RunAuditctl) -> None:
    audit(db, "app.users", mask=("password",))
    auditctl("enable", "app.users", "--actions", "truncate", check=0)
    auditctl("enable", "app.users", check=2)


def test_a_renamed_column_is_known_although_the_guard_was_off(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "app.*", mask=("password",))
    conn.execute(GUARD_OFF)
    conn.execute("alter table app.users rename column password to passphrase")
    assert "app.users (passphrase)" in auditctl("apply", "--yes", check=2).err
    assert "UNCOVER app.users: passphrase" in auditctl("plan", check=0).out


def test_a_column_of_a_child_is_uncovered_through_its_parent(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table app.admins (token text) inherits (app.users); create table app.tokens (token text)")
    audit(db, "app.*", mask=("token",))
    assert "app.tokens (token), app.users (token)" in auditctl("enable", "app.*", check=2).err


def test_a_former_member_hides_what_its_parent_hid(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("""
        create table app.parted (id int, code text) partition by list (id);
        create table app.one partition of app.parted for values in (1)
    """)
    audit(db, "app.parted", mask=("code",))
    conn.execute("alter table app.parted detach partition app.one")
    assert "app.one (code)" in auditctl("enable", "app.one", check=2).err


def test_plan_says_what_is_uncovered_and_what_results(db: str, auditctl: RunAuditctl) -> None:
    audit(db, "app.*", mask=("password",))
    shown = auditctl("plan", "-", input=f"{OWN}\n{GLOB}", check=0)
    assert "UNCOVER" not in shown.out
    shown = auditctl("plan", "-", input=f"{OWN}mask = []\n\n{GLOB}", check=0)
    sentence = "app.users: password was hidden until now, and is recorded in the clear by its own rule"
    assert f"UNCOVER {sentence}" in shown.out
    assert [one.sentence for one in plan(db, f"{OWN}mask = []\n\n{GLOB}").uncovered] == [sentence]


def test_config_prints_what_is_stated_and_no_more(db: str, auditctl: RunAuditctl) -> None:
    text = f'{OWN}mask = []\n\n[[table]]\nname = "app.u*"\nexclude = ["name"]\n\n{GLOB}'
    auditctl("apply", "--yes", "-", input=text, check=0)
    printed = auditctl("config", check=0).out
    assert printed.endswith(text)
    assert pending(db, printed) == []


def test_a_plan_that_hides_says_how_many_earlier_events_hold_the_column_in_the_clear(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "app.users", mask=("name",))
    conn.execute("insert into app.users select i, 'n', case when i > 1 then 's' end from generate_series(1, 3) as i")
    conn.execute("update app.users set password = 't' where id = 1; update app.users set name = 'm' where id = 2")
    file = OWN + 'mask = ["name", "password"]\n'
    planned = auditctl("plan", "-", input=file, check=0).err
    # The insert of a null says so in the clear, and the change of another column says nothing.
    assert "app.users: 4 earlier events hold password in the clear, and will go on to" in planned
    assert "hold name" not in planned
    enabled = auditctl("enable", "app.users", "--mask", "name", "--exclude", "password", check=0)
    assert "4 earlier events hold password" in enabled.err
    assert "earlier event" not in auditctl("plan", check=0).err
