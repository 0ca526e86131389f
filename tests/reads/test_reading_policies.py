"""Auditing reads changes what nobody sees or may do, and stopping it leaves row security exactly as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl.actions import Action
from auditctl.errors import ConfigurationError
from tests.fixtures.databases import connect
from tests.support.capturing import apply, audit, pending
from tests.support.reading import POLICIES, SALARY, audit_reads, read_count, reads, run, stop

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

SECURED: LiteralString = """
    create table note (id integer primary key, owner text, secret boolean, text text);
    insert into note values (1, 'ann', false, 'a'), (2, 'ann', true, 'b'),
           (3, 'ben', false, 'c'), (4, 'ben', true, 'd');
    grant select, insert, update, delete on note to public;
    alter table note enable row level security;
    create policy own on note using (owner = left(current_user, 3)) with check (owner = left(current_user, 3));
    create policy open on note for select using (not secret);
    create policy calm on note as restrictive for delete using (not secret);
    create policy boss on note for select to pg_monitor using (true)
"""

TRIED: tuple[LiteralString, ...] = (
    "select * from note order by id",
    "update note set text = 'x' where id > 0 returning id",
    "delete from note where id > 0 returning id",
    "insert into note values (9, 'ann', false, 'n') returning id",
    "insert into note values (1, 'ann', false, 'n') on conflict (id) do update set text = 'y' returning id",
    "copy note to stdout",
    "truncate note",
)


def attempts(dsn: str) -> list[Any]:
    """What a login gets from each statement: rows, or the SQLSTATE; nothing stays."""
    found: list[Any] = []
    with connect(dsn) as session:
        for statement in TRIED:
            session.execute("begin")
            try:
                if statement.startswith("copy"):
                    with session.cursor().copy(statement) as copy:
                        found.append([bytes(row) for row in copy])
                else:
                    cursor = session.execute(statement)
                    found.append(sorted(cursor.fetchall()) if cursor.description else cursor.rowcount)
            except psycopg.Error as error:
                found.append(error.sqlstate)
            session.execute("rollback")
    return found


@pytest.fixture
def six(conn: psycopg.Connection, login: MakeLogin) -> dict[str, Login]:
    """A login of each kind, for the table with four policies."""
    conn.execute(SECURED)
    made = {
        "ann": login("ann"), "ben": login("ben", roles=("auditctl_app",)), "stranger": login("stranger"),
        "boss": login("boss", roles=("pg_monitor",)), "bypass": login("bypass", attributes="bypassrls"),
        "owner": login("own"),
    }  # fmt: skip
    conn.execute(sql.SQL("alter table note owner to {}").format(sql.Identifier(made["owner"].name)))
    return made


@pytest.mark.parametrize("security", ["enable", "disable", "force"])
def test_six_roles_see_and_do_the_same_with_and_without_and_the_catalog_comes_back(
    db: str, conn: psycopg.Connection, six: dict[str, Login], security: str
) -> None:
    if security == "disable":
        conn.execute("alter table note disable row level security; drop policy calm on note")
    elif security == "force":
        conn.execute("alter table note force row level security")
    catalog = conn.execute(POLICIES, ["note"]).fetchone()
    before = {name: attempts(made.dsn) for name, made in six.items()}
    audit_reads(db, "note")
    assert {name: attempts(made.dsn) for name, made in six.items()} == before
    assert pending(db) == []
    run(six["stranger"].dsn, "select * from note")
    assert read_count(conn) == 1
    stop(db, "note")
    assert conn.execute(POLICIES, ["note"]).fetchone() == catalog
    assert {name: attempts(made.dsn) for name, made in six.items()} == before
    assert conn.execute("select count(*) from auditctl.read_site").fetchone() == (0,)


def test_a_table_whose_rows_are_all_hidden_keeps_hiding_them(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute(SALARY)
    conn.execute("alter table salary enable row level security")
    catalog = conn.execute(POLICIES, ["salary"]).fetchone()
    audit_reads(db, "salary")
    with connect(login("plain").dsn) as session:
        assert session.execute("select * from salary").fetchall() == []
    assert reads(conn) == []
    stop(db, "salary")
    assert conn.execute(POLICIES, ["salary"]).fetchone() == catalog


def test_a_dormant_restrictive_policy_is_refused_because_it_would_wake(db: str, conn: psycopg.Connection) -> None:
    conn.execute(SALARY)
    conn.execute("create policy few on salary as restrictive using (id = 1)")
    with pytest.raises(ConfigurationError) as error:
        audit_reads(db, "salary")
    assert "row security of public.salary is off; switching it on would activate its restrictive policy few" in str(
        error.value
    )
    assert conn.execute("select count(*) from auditctl.read_site").fetchone() == (0,)


def test_dormant_permissive_policies_stay_without_effect(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute(SALARY)
    conn.execute("create policy few on salary using (id = 1)")
    audit_reads(db, "salary")
    with connect(login("plain").dsn) as session:
        assert session.execute("select id from salary order by id").fetchall() == [(1,), (2,)]


def test_read_force_is_refused_where_the_tables_own_policies_would_bind_the_owner(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute(SECURED)
    with pytest.raises(ConfigurationError, match=r"the policies of public[.]note would apply to its owner, too"):
        audit_reads(db, "note", read_force=True)
    conn.execute("alter table note force row level security")
    audit_reads(db, "note", read_force=True)
    stop(db, "note")
    assert conn.execute("select relforcerowsecurity from pg_class where relname = 'note'").fetchone() == (True,)


def test_disable_restores_row_security_after_renames_and_keeps_policies_made_since(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute(SALARY)
    audit_reads(db, "salary", read_force=True)
    conn.execute("alter table salary rename to wage; create schema pay; alter table wage set schema pay")
    conn.execute("create policy mine on pay.wage using (id = 1)")
    assert pending(db) == []
    stop(db, "pay.wage")
    row = conn.execute(POLICIES, ["pay.wage"]).fetchone()
    assert row is not None
    assert row[:2] == (False, False)
    assert [policy.split(",")[0] for policy in row[2]] == ["(mine"]


@pytest.mark.usefixtures("unguarded")
def test_a_rename_without_the_guard_is_followed_by_apply(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute(SALARY)
    audit_reads(db, "salary")
    conn.execute("alter table salary rename to wage")
    assert pending(db) == ["REPLACE public.wage read: The table was renamed from public.salary."]
    apply(db)
    run(login("plain").dsn, "select * from wage")
    assert [row[3] for row in reads(conn)] == ["public.wage"]
    assert conn.execute("select old_target, new_target from auditctl.rename").fetchall() == [
        ("public.salary", "public.wage")
    ]


DRIFT: list[tuple[LiteralString, str]] = [
    ("drop policy auditctl_read on salary", "REPLACE public.salary read: Policy auditctl_read is gone."),
    ("drop policy auditctl_open on salary", "REPLACE public.salary read: Policy auditctl_open is gone."),
    (
        "alter policy auditctl_read on salary using (true)",
        "REPLACE public.salary read: Policy auditctl_read is defined differently.",
    ),
    (
        "alter policy auditctl_read on salary to auditctl_reader",
        "REPLACE public.salary read: Policy auditctl_read is defined differently.",
    ),
    (
        "alter policy auditctl_open on salary using (id = 1)",
        "REPLACE public.salary read: Policy auditctl_open is defined differently.",
    ),
    ("alter policy auditctl_read on salary rename to x", "REPLACE public.salary read: Policy auditctl_read is gone."),
    ("alter table salary disable row level security", "ENABLE public.salary read: Row security is off."),
    (
        "alter table salary no force row level security",
        "ENABLE public.salary read: Row security is not forced on the owner.",
    ),
]


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(("statement", "expected"), DRIFT, ids=[row[0] for row in DRIFT])
def test_drift_is_found_by_check_and_repaired_by_apply(
    db: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl, statement: LiteralString, expected: str
) -> None:
    conn.execute(SALARY)
    audit_reads(db, "salary", read_force=True)
    catalog = conn.execute(POLICIES, ["salary"]).fetchone()
    conn.execute(statement)
    assert pending(db) == [expected]
    assert auditctl("check", check=3).err.splitlines()[-1] == "hint: Fix with: auditctl apply"
    auditctl("apply", "--yes", check=0)
    conn.execute("drop policy if exists x on salary")
    assert conn.execute(POLICIES, ["salary"]).fetchone() == catalog
    run(login("plain").dsn, "select * from salary")
    assert read_count(conn) == 1


@pytest.mark.usefixtures("unguarded")
def test_whoever_drops_the_open_policy_has_row_security_of_his_own_from_then_on(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    conn.execute(SALARY)
    audit_reads(db, "salary")
    conn.execute("create policy few on salary using (id = 1); drop policy auditctl_open on salary")
    assert pending(db) == [
        "REPLACE public.salary read: Row security is the table's own since policy auditctl_open was dropped."
    ]
    apply(db)
    assert pending(db) == []
    with connect(login("plain").dsn) as session:
        assert session.execute("select id from salary").fetchall() == [(1,)]
    assert read_count(conn) == 1
    stop(db, "salary")
    assert conn.execute("select relrowsecurity from pg_class where relname = 'salary'").fetchone() == (True,)


def test_rules_of_reads_go_through_the_file_and_back(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute(SALARY)
    enabled = auditctl("enable", "salary", "--actions", "update,read", "--read-query", "--read-force", check=0)
    assert enabled.err.splitlines()[0] == "public.salary: now captures update, read."
    text = auditctl("config", check=0).out
    assert 'actions = ["update", "read"]\nread_query = true\nread_force = true\n' in text
    assert auditctl("plan", "-", input=text, check=0).out == ""
    assert auditctl("tables", check=0).out.splitlines()[-1].split() == [
        "public.salary",
        "update,read",
        "ok",
        "its",
        "own",
        "rule",
    ]
    disabled = auditctl("disable", "salary", "--actions", "read", check=0)
    assert disabled.err.splitlines() == ["public.salary: no longer captures read."]
    assert 'actions = ["update"]\n' in auditctl("config", check=0).out
    assert "read_query" not in auditctl("config", check=0).out


def test_read_options_without_the_action_are_a_mistake(db: str, conn: psycopg.Connection) -> None:
    conn.execute(SALARY)
    with pytest.raises(
        ConfigurationError, match="--read-query: the rule does not record reads; add read to its actions"
    ):
        audit(db, "salary", actions=(Action.UPDATE,), read_query=True)


def test_a_table_with_policies_can_be_dropped_when_it_is_no_longer_audited(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table gone (id integer)")
    audit_reads(db, "gone")
    with pytest.raises(psycopg.Error, match=r"refused: public[.]gone is audited"):
        conn.execute("drop table gone")
    stop(db, "gone")
    conn.execute("drop table gone")


@pytest.mark.usefixtures("unguarded")
def test_a_dropped_table_takes_its_policies_along(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table gone (id integer)")
    audit_reads(db, "gone")
    conn.execute("drop table gone")
    conn.execute("create table other (id integer)")
    audit_reads(db, "other")
    assert conn.execute("select relation::text from auditctl.read_site").fetchall() == [("other",)]


def test_hostile_names_are_quoted(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("""
        create schema "Sch'ema"; grant usage on schema "Sch'ema" to public;
        create table "Sch'ema"."per%cent {} ""q"" $auditctl$" (id integer);
        insert into "Sch'ema"."per%cent {} ""q"" $auditctl$" values (1);
        grant select on "Sch'ema"."per%cent {} ""q"" $auditctl$" to public
    """)
    audit_reads(db, '"Sch\'ema"."per%cent {} ""q"" $auditctl$"')
    assert pending(db) == []
    run(login("plain").dsn, 'select * from "Sch\'ema"."per%cent {} ""q"" $auditctl$"')
    assert [row[3] for row in reads(conn)] == ['Sch\'ema."per%cent {} ""q"" $auditctl$"']
