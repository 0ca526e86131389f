"""What reconcile follows: changed keys, DDL, truncates, partitions, erasure; and writers while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reconcile.test_reconcile import found, past
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


def test_keys_that_change_hands_are_followed(conn: psycopg.Connection, db: str, auditctl: RunAuditctl) -> None:
    conn.execute("""
        create table t (id int, v text, w text, constraint t_key primary key (id) deferrable);
        insert into t values (100, 'there', 'w')
    """)
    audit(db, "t")
    auditctl("baseline", "t", check=0)
    conn.execute("insert into t select g, 'v' || g, 'w' || g from generate_series(1, 9) as g")
    conn.execute("update t set id = 3 - id where id in (1, 2)")
    conn.execute("update t set id = id % 3 + 3 where id between 3 and 5")
    conn.execute("update t set id = id + 1 where id between 6 and 9")
    conn.execute("update t set id = 20, v = 'moved' where id = 7; update t set id = 21 where id = 20")
    conn.execute(
        "insert into t values (20, 'new', 'new'); delete from t where id = 20; insert into t values (20, 'b', 'b')"
    )
    conn.execute("begin; update t set id = 22 where id = 20; delete from t where id = 22; commit")
    conn.execute("update t set id = 101 where id = 100; update t set w = 'x' where id = 101")
    assert found(auditctl, code=0) == []
    past(conn, "t", "update t set w = 'swapped' where id in (1, 3, 21)", "update t set v = 'x' where id = 101")
    assert found(auditctl) == [
        ("altered", "1", ["w"]), ("altered", "101", ["v"]), ("altered", "21", ["w"]), ("altered", "3", ["w"])
    ]  # fmt: skip


def test_columns_are_compared_from_the_time_of_their_ddl(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl
) -> None:
    conn.execute("create table t (id int primary key, a text, b text, c text, n text)")
    audit(db, "t")
    conn.execute("insert into t values (1, 'a', 'b', 'c', '1'), (2, 'a', 'b', 'c', '2'), (3, 'a', 'b', 'c', '3')")
    conn.execute("""
        alter table t drop column a; alter table t add column a text default 'other';
        alter table t rename column b to d; alter table t rename column c to b; alter table t rename column d to c;
        alter table t alter column n type numeric(10, 2) using n::numeric;
        alter table t add column late text default 'l'
    """)
    assert found(auditctl, code=0) == []
    conn.execute("update t set a = 'new', n = 7, late = 'm' where id = 1; insert into t values (4, 'c', 'b', 1)")
    conn.execute("alter table t rename to u; update u set b = 'renamed' where id = 2")
    assert found(auditctl, code=0) == []
    with_trick = "update u set a = 'x', n = 8, late = 'y' where id = 1"
    past(
        conn, "u", with_trick, "update u set a = 'unknown', b = 'x' where id = 2", "update u set n = 1.50 where id = 4"
    )
    assert found(auditctl) == [
        ("altered", "1", ["a", "late", "n"]), ("altered", "2", ["b"]), ("altered", "4", ["n"])
    ]  # fmt: skip


def test_what_ends_many_lives_at_once_is_followed(conn: psycopg.Connection, db: str, auditctl: RunAuditctl) -> None:
    conn.execute("""
        create table t (id int primary key);
        create table "Odd.P" (id int, p int, primary key (id, p)) partition by list (p);
        create table p1 partition of "Odd.P" for values in (1);
        create table "P.2" partition of "Odd.P" for values in (2);
        create table p3 partition of "Odd.P" for values in (3); create table p4 partition of "Odd.P" for values in (4)
    """)
    audit(db, "t", 'public."Odd.P"', on_drop="record")
    conn.execute("""
        insert into t values (1), (2); truncate t; insert into t values (2);
        insert into "Odd.P" select g, g % 4 + 1 from generate_series(1, 8) as g;
        truncate p1; insert into "Odd.P" values (4, 1);
        alter table "Odd.P" detach partition "P.2"; drop table p3;
        alter table "Odd.P" detach partition p4; alter table "Odd.P" attach partition p4 for values in (4)
    """)
    assert found(auditctl, code=0) == []
    past(conn, "t", "truncate t")
    assert found(auditctl) == [("vanished", "2")]


def test_a_baseline_ends_what_is_not_known(conn: psycopg.Connection, db: str, auditctl: RunAuditctl) -> None:
    conn.execute(
        "create table t (id int primary key, v text); insert into t select g, 'v' from generate_series(1, 200) as g"
    )
    audit(db, "t")
    conn.execute("update t set v = 'w' where id = 1")
    result = auditctl("reconcile", "t", check=3)
    lines = result.out.splitlines()
    assert (lines[0], len(lines), lines[-1]) == (
        "unknown   public.t 10", 101, "unknown   public.t 99 more rows, which have no events either",
    )  # fmt: skip
    assert result.err.splitlines()[-1].endswith("auditctl baseline public.t")
    auditctl("baseline", "t", check=0)
    assert found(auditctl, code=0) == []
    past(conn, "t", "insert into t select g, 'v' from generate_series(1001, 1120) as g")
    assert len(found(auditctl)) == 120


def test_what_a_rule_does_not_record_is_not_found_and_said(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl
) -> None:
    conn.execute("create table t (id int primary key, v text); create table keyless (v text)")
    audit(db, "keyless")
    auditctl("enable", "t", "--actions", "update", check=0)
    conn.execute("insert into t values (1, 'a'), (2, 'a'); update t set v = 'b'; delete from t where id = 2")
    result = auditctl("reconcile", check=0)
    assert "not compared: public.keyless has no key: its rows cannot be told apart" in result.err
    assert "not compared in public.t: unknown rows, vanished rows, as the rule does not record" in result.err
    past(conn, "t", "update t set v = 'c'")
    assert found(auditctl, "t") == [("altered", "1", ["v"])]
    for command in ("reconcile", "baseline"):
        assert "public.keyless has no key" in auditctl(command, "keyless", check=4).err


def test_odd_names_and_erased_values_and_another_key(conn: psycopg.Connection, db: str, auditctl: RunAuditctl) -> None:
    conn.execute("""
        create schema "odd %s"; create table "odd %s"."t%1$I.x" (
            "key%" int primary key, "100%" text, "%1$s" text, "'" text, new text, l text, "$erased" text
        )
    """)
    conn.execute("insert into \"odd %s\".\"t%1$I.x\" values (1, 'a', 'b', 'c', 'd', 'e', 'f')")
    auditctl("enable", "odd*.*", check=0)
    (target,) = conn.execute("select target from auditctl.capture").fetchone() or ("",)
    auditctl("baseline", target, check=0)
    conn.execute('update "odd %s"."t%1$I.x" set "$erased" = \'g\', "100%" = \'h\'')
    assert found(auditctl, code=0) == []
    (event,) = conn.execute("select max(event_id) from auditctl.event where action = 'UPDATE'").fetchone() or (0,)
    auditctl("erase", "--yes", "--event", str(event), "--column", "new_values", "--reason", "law", check=0)
    assert found(auditctl, code=0) == []
    conn.execute('insert into "odd %s"."t%1$I.x" values (2, \'a\'); update "odd %s"."t%1$I.x" set l = \'z\'')
    past(conn, '"odd %s"."t%1$I.x"', "update \"odd %s\".\"t%1$I.x\" set l = 'x', new = 'y'")
    assert found(auditctl) == [("altered", "1", ["l"]), ("altered", "2", ["l", "new"])]


def test_with_another_key_rows_need_another_baseline(conn: psycopg.Connection, db: str, auditctl: RunAuditctl) -> None:
    conn.execute("create table t (id int not null unique, n int, v text); create table i (id int primary key)")
    audit(db, "t", "i")
    conn.execute("insert into t values (1, 10, 'a'), (2, 20, 'b'); insert into i values (1)")
    conn.execute("alter table i alter column id type bigint")
    assert found(auditctl, code=0) == []
    auditctl("baseline", "t", check=0)
    conn.execute("alter table t add primary key (n)")
    assert found(auditctl) == [("unknown", "10"), ("unknown", "20")]
    auditctl("baseline", "t", check=0)
    assert found(auditctl, code=0) == []
    conn.execute("alter table t alter column n type numeric(6, 2)")
    assert found(auditctl) == [("unknown", "10.00"), ("unknown", "20.00")]
    auditctl("baseline", "t", check=0)
    assert found(auditctl, code=0) == []
