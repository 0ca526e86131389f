"""The coverage guard: what was hidden stays hidden when it comes back, and who leaves or takes a name is told."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.support.capturing import audit, events, pending

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

BACK: list[LiteralString] = [
    "alter table a drop column s, add column s text",
    "alter table a drop column s; alter table a add column s text",
    "alter table a add column t text; alter table a drop column s; alter table a rename column t to s",
    "alter table a drop column s; alter table a rename to b; alter table b add s text; alter table b rename to a",
]


def said(conn: psycopg.Connection) -> list[str]:
    """Collects the warnings of a session."""
    warnings: list[str] = []
    conn.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
    return warnings


@pytest.mark.parametrize("rule", ["exclude", "mask"])
@pytest.mark.parametrize("name", ["a", "public.*"])
@pytest.mark.parametrize("statement", BACK)
def test_a_hidden_column_that_is_dropped_and_comes_back_is_hidden(
    db: str, conn: psycopg.Connection, statement: LiteralString, name: str, rule: str
) -> None:
    conn.execute("create table a (id integer primary key, s text); create table other (s text)")
    audit(db, name, **{rule: ("s",)})
    conn.execute(statement)
    conn.execute("insert into a values (1, 'hush'); update a set s = 'hush, too'; delete from a")
    rows = events(conn, "public.a")
    assert [row[1] for row in rows] == ["CREATE", *(["UPDATE"] if rule == "mask" else []), "DELETE"]
    assert "hush" not in str(rows)
    assert pending(db) == []


def test_a_rule_that_is_stated_anew_forgets_what_was_hidden(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key, s text, t text)")
    audit(db, "a", mask=("s", "t"))
    conn.execute("alter table a drop column s")
    audit(db, "a")
    conn.execute("alter table a add column s text; insert into a values (1, 'old', 'shown')")
    assert [row[4] for row in events(conn, "public.a")] == [{"id": 1, "t": "old", "s": "shown"}]


def test_a_child_that_leaves_its_parent_is_told_at_once(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key); create table c () inherits (a)")
    audit(db, "a")
    warnings = said(conn)
    conn.execute("alter table c no inherit a")
    assert warnings == ["public.c is no longer audited"]
    assert conn.execute(
        "select details from auditctl.activity where target_name = 'auditctl.ddl' order by event_id"
    ).fetchall() == [("ALTER TABLE on public.a: no longer audited: public.c",)]
    audit(db, "c")
    conn.execute("alter table a add column w integer")
    assert len(warnings) == 1
    assert pending(db) == []


def test_a_table_that_takes_the_name_of_an_audited_one_is_told(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key)")
    audit(db, "a")
    warnings = said(conn)
    conn.execute("create table b (like a); alter table a rename to old; alter table b rename to a")
    assert warnings == ["public.a now names a table that is not audited; the audited one is public.old"]
    audit(db, "a")
    conn.execute("alter table a add column v text")
    assert len(warnings) == 1


def test_a_primary_key_that_goes_is_told(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key, b integer not null)")
    audit(db, "a")
    conn.execute("alter table a drop constraint a_pkey; alter table a add primary key (b, id)")
    assert conn.execute(
        "select details from auditctl.activity where target_name = 'auditctl.ddl' order by event_id"
    ).fetchall() == [
        ("ALTER TABLE on public.a: key now none, was id",),
        ("ALTER TABLE on public.a: key now b, id, was none",),
    ]


def test_what_reaches_a_child_through_its_parent_is_told_once(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key); create table c (w text) inherits (a)")
    audit(db, "a")
    conn.execute("alter table a add column v text; alter table c add column x integer")
    assert conn.execute(
        "select details from auditctl.activity where target_name = 'auditctl.ddl' order by event_id"
    ).fetchall() == [
        ("ALTER TABLE on public.a: column v text added",),
        ("ALTER TABLE on public.a: column x integer added",),
    ]


@pytest.mark.parametrize("glob", ["bill*.*", "b*.t", "billing.*", "*.t", "b?lling.t"])
def test_a_schema_that_no_glob_reaches_any_more_stays_audited(db: str, conn: psycopg.Connection, glob: str) -> None:
    conn.execute("create schema billing; create table billing.t (id integer primary key)")
    conn.execute("create schema bills; create table bills.t (id integer primary key)")
    audit(db, glob)
    conn.execute("alter schema billing rename to pay; insert into pay.t values (1)")
    assert [event[:2] for event in events(conn, "pay.t")] == [("pay.t", "CREATE")]
    assert [line for line in pending(db) if "pay" in line] == []


def test_a_rule_rename_keeps_known_instead_rules(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table a (id integer primary key); create schema s")
    conn.execute("create rule known as on delete to a where old.id = 7 do instead nothing")
    audit(db, "a")
    conn.execute("alter table a rename to b; alter table b set schema s")
    assert pending(db) == []


def test_the_command_of_a_hint_can_be_pasted_into_a_shell(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    table = sql.Identifier("Odd Co", "o'd\" $x \\")
    conn.execute(sql.SQL('create schema "Odd Co"; create table {} (id integer primary key)').format(table))
    target = conn.execute(
        "select auditctl_internal.registered_name(oid) from pg_class where relname like 'o''d%'"
    ).fetchone()
    assert target is not None
    audit(db, target[0])
    with pytest.raises(psycopg.DatabaseError) as error:
        conn.execute('drop schema "Odd Co" cascade')
    hint = error.value.diag.message_hint or ""
    auditctl(*shlex.split(hint.partition(": auditctl ")[2]), check=0)
    conn.execute('drop schema "Odd Co" cascade')
