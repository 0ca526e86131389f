"""Applying a file: it is the whole truth, all of it or nothing is done, and it asks on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.errors import ConfigurationError, DatabaseError
from tests.fixtures.databases import connect, fetch_value
from tests.fixtures.templates import begin_with, running
from tests.support.capturing import apply, audit, events, lines, pending, triggers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

ONE = '[[table]]\nname = "public.a"\nactions = ["create"]\n'
RULES = "select name, position, actions::text from auditctl.rule order by position"


TABLES: LiteralString = """
    create table a (id int primary key, v text);
    create table b (id int primary key, v text);
    create table c (id int primary key, w text)
"""

db_template = begin_with(running(TABLES), fixture="tables")


@pytest.fixture
def tables(db: str) -> None:
    """Chooses the template with the tables."""


def audited(conn: psycopg.Connection) -> list[str]:
    """The tables with triggers, and the actions these capture."""
    found: dict[str, list[str]] = {}
    for table, trigger, _ in triggers(conn):
        found.setdefault(table, []).append(trigger.removeprefix("auditctl_"))
    return [f"{table}: {' '.join(actions)}" for table, actions in found.items()]


@pytest.mark.usefixtures("tables")
def test_a_file_is_the_whole_truth(db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path) -> None:
    audit(db, "public.a", "public.b")
    (tmp_path / "audit.toml").write_text(ONE)
    done = auditctl("apply", "audit.toml", check=0)
    assert done.out == ""
    assert done.err.splitlines()[-1] == "Applied 14 changes."
    assert audited(conn) == ["public.a: create"]
    assert conn.execute(RULES).fetchall() == [("public.a", 0, "{CREATE}")]
    again = auditctl("apply", "audit.toml", check=0)
    assert (again.out, again.err) == ("", "Nothing to do: the database matches the rules.\n")
    with pytest.raises(ConfigurationError, match="is empty, which would end all auditing"):
        apply(db, "")
    apply(db, "table = []")
    assert audited(conn) == []
    assert fetch_value(db, "select count(*) from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace") == 0


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            '[[table]]\nname = "public.*"\nactions = ["create"]\n',
            ["public.a: create", "public.b: create", "public.c: create"],
            id="a glob covers every table it matches",
        ),
        pytest.param(
            '[[table]]\nname = "*"\nactions = ["create"]\n[[table]]\nname = "public.b"\nactions = ["update"]\n',
            ["public.a: create", "public.b: update", "public.c: create"],
            id="an exact name beats a glob before it",
        ),
        pytest.param(
            '[[table]]\nname = "public.[ab]"\nactions = ["delete"]\n[[table]]\nname = "p*.?"\nactions = ["create"]\n',
            ["public.a: delete", "public.b: delete", "public.c: create"],
            id="an earlier glob beats a later one",
        ),
        pytest.param(
            '[[table]]\nname = "public.*"\nactions = ["create"]\n[[table]]\nname = "public.b"\nactions = []\n',
            ["public.a: create", "public.c: create"],
            id="no actions keep a table out of a glob",
        ),
        pytest.param(
            '[defaults]\nactions = ["update"]\n[[table]]\nname = "A"\n[[table]]\nname = "b"\nactions = ["delete"]\n',
            ["public.a: update", "public.b: delete"],
            id="defaults hold where a table states none",
        ),
        pytest.param(
            '[defaults]\nactions = []\n[[table]]\nname = "public.a"\n[[table]]\nname = "b"\nactions = ["delete"]\n',
            ["public.b: delete"],
            id="no actions by default",
        ),
    ],
)
def test_names_and_globs_decide_what_is_audited(
    db: str, conn: psycopg.Connection, text: str, expected: list[str]
) -> None:
    apply(db, text)
    assert audited(conn) == expected
    assert pending(db, text) == pending(db) == []


@pytest.mark.usefixtures("tables")
def test_a_table_created_later_is_covered_by_the_glob(db: str, conn: psycopg.Connection) -> None:
    apply(db, '[[table]]\nname = "public.*"\nactions = ["create"]\n')
    conn.execute("create table d (id int primary key)")
    assert pending(db) == []
    conn.execute("create table e (id int primary key); insert into e values (1)")
    assert conn.execute("select action::text from auditctl.event where target = 'public.e'").fetchall() == [("CREATE",)]


@pytest.mark.usefixtures("tables")
def test_a_table_created_later_under_a_glob_without_auto_waits_for_apply(db: str, conn: psycopg.Connection) -> None:
    apply(db, '[[table]]\nname = "public.*"\nactions = ["create"]\nauto = false\n')
    conn.execute("create table d (id int primary key)")
    assert pending(db) == ["CREATE public.d create: There is no trigger yet."]


@pytest.mark.usefixtures("tables")
def test_the_order_of_rules_is_kept_and_a_moved_rule_is_recorded_alone(db: str, conn: psycopg.Connection) -> None:
    names = ["c", "b", "a"]
    apply(db, "".join(f'[[table]]\nname = "public.{name}"\nactions = ["create"]\n' for name in names))
    assert conn.execute(RULES).fetchall() == [(f"public.{name}", n, "{CREATE}") for n, name in enumerate(names)]
    apply(db, "".join(f'[[table]]\nname = "public.{name}"\nactions = ["create"]\n' for name in ("b", "a")))
    assert [(action, name) for _, action, name, *_ in events(conn, "auditctl.rule")] == [
        ("CREATE", "public.c"),
        ("CREATE", "public.b"),
        ("CREATE", "public.a"),
        ("DELETE", "public.c"),
    ]


@pytest.mark.usefixtures("tables")
def test_a_plan_that_fails_at_the_second_table_changes_nothing(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    owner = login("owner", roles=["auditctl_owner", "auditctl_admin"])
    conn.execute(psycopg.sql.SQL("alter table a owner to {}").format(psycopg.sql.Identifier(owner.name)))
    before = fetch_value(db, "select count(*) from auditctl.event")
    with pytest.raises(DatabaseError) as error:
        apply(owner.dsn, '[[table]]\nname = "public.a"\n[[table]]\nname = "public.b"\n')
    assert (error.value.sqlstate, error.value.exit_code) == ("42501", 5)
    assert error.value.hint != ""
    assert audited(conn) == []
    assert conn.execute(RULES).fetchall() == []
    assert fetch_value(db, "select count(*) from auditctl.target") == 0
    assert fetch_value(db, "select count(*) from auditctl.event") == before
    assert lines(apply(owner.dsn, ONE)) == ["CREATE public.a create: There is no trigger yet."]


@pytest.mark.usefixtures("tables")
def test_an_event_trigger_that_interferes_rolls_everything_back(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("""
        create function meddle() returns event_trigger language plpgsql as $$
        begin
            if tg_tag = 'ALTER TABLE' and pg_trigger_depth() = 0 and current_setting('my.meddling', true) is null then
                perform set_config('my.meddling', 'on', true);
                execute 'alter table public.a disable trigger auditctl_create';
            end if;
        end $$;
        create event trigger meddle on ddl_command_end execute function meddle()
    """)
    done = auditctl("apply", "-", input=ONE, check=1)
    conn.execute("drop event trigger meddle")
    assert done.err.splitlines()[-2:] == [
        "error: after all changes public.a still needs ENABLE: The trigger is disabled.",
        "hint: Nothing was changed. Look for an event trigger that interferes, then report it.",
    ]
    assert audited(conn) == []
    assert conn.execute(RULES).fetchall() == []


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("options", "answer", "code", "expected"),
    [
        ([], b"y\n", 0, ["public.a: create"]),
        ([], b"n\n", 0, []),
        ([], b"\n", 0, []),
        ([], b"\x04", 0, []),
        (["--yes"], b"", 0, ["public.a: create"]),
    ],
)
def test_apply_asks_on_a_terminal(
    db: str,
    conn: psycopg.Connection,
    tmp_path: Path,
    options: list[str],
    answer: bytes,
    code: int,
    expected: list[str],
) -> None:
    (tmp_path / "audit.toml").write_text(ONE)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "auditctl", "--dsn", db, "apply", "audit.toml", *options]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    os.write(ours, answer)
    out, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == code, err
    assert out == b""
    assert (b"Apply? [y/N]" in err) is (options == [])
    assert err.endswith(b"Nothing was changed.\n") is (expected == [])
    assert b"CREATE  public.a  create  There is no trigger yet." in err
    assert audited(conn) == expected


@pytest.mark.usefixtures("tables")
def test_apply_of_stdin_does_not_ask(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("apply", "-", input=ONE, check=0)
    assert audited(conn) == ["public.a: create"]


@pytest.mark.usefixtures("tables")
def test_a_superuser_who_audits_another_ones_table_keeps_no_rights_behind(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    owner = login("owner", roles=["auditctl_owner", "auditctl_admin"])
    conn.execute(psycopg.sql.SQL("alter table a owner to {}").format(psycopg.sql.Identifier(owner.name)))
    apply(owner.dsn, ONE)
    with connect(db) as session:
        assert session.execute(
            "select has_schema_privilege(%s, 'auditctl_triggers', 'usage'), proacl::text from pg_proc "
            "where pronamespace = 'auditctl_triggers'::regnamespace",
            [login("stranger").name],
        ).fetchall() == [(False, "{auditctl_owner=X/auditctl_owner}")]
        assert session.execute(
            "select nspacl::text from pg_namespace where nspname = 'auditctl_triggers'"
        ).fetchall() == [("{auditctl_owner=UC/auditctl_owner}",)]
