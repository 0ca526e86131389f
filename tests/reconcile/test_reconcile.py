"""`auditctl reconcile`: finds what was written past the triggers, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, LiteralString

import pytest

from tests.fixtures.databases import GUARD_OFF
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


TRIGGERS: LiteralString = """
    select tgname from pg_trigger where tgrelid = %s::regclass and tgname ^@ 'auditctl_'
"""


def past(conn: psycopg.Connection, table: LiteralString, *statements: LiteralString) -> None:
    """Write with the triggers of a table off, and then on again, as a superuser can who switches the guard off."""
    conn.execute(GUARD_OFF)
    conn.execute(f"alter table {table} disable trigger user".encode())
    for statement in statements:
        conn.execute(statement)
    for (trigger,) in conn.execute(TRIGGERS, [table]).fetchall():
        conn.execute(f"alter table {table} enable always trigger {trigger}".encode())


def found(auditctl: RunAuditctl, *tables: str, code: int = 3) -> list[tuple[Any, ...]]:
    """What reconcile finds: kind, key and columns."""
    result = auditctl("reconcile", *tables, "--format", "json", check=code)
    return [
        (one["finding"], one["target_id"], *([one["columns"]] if one["columns"] else []))
        for one in json.loads(result.out)["findings"]
    ]


def test_what_went_past_the_triggers_is_found(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl, unguarded: None
) -> None:
    conn.execute("create table t (id int primary key, a text, n numeric)")
    audit(db, "t")
    conn.execute("insert into t select g, 'a', 1.0 from generate_series(1, 6) as g")
    conn.execute("update t set a = 'b', n = 1.00 where id < 5; delete from t where id = 6")
    conn.execute("insert into t values (6, 'c', null)")
    assert auditctl("reconcile", check=0).out == ""
    past(
        conn, "t", "update t set n = 1.0 where id = 1", "delete from t where id = 2",
        "insert into t values (7, 'x', 1), (8, 'y', 2)", "update t set a = 'z', n = null where id = 3",
    )  # fmt: skip
    result = auditctl("reconcile", check=3)
    assert result.out.splitlines() == [
        "altered   public.t 1: n",
        "vanished  public.t 2",
        "altered   public.t 3: a, n",
        "unknown   public.t 7",
        "unknown   public.t 8",
    ]
    assert "error: 5 rows of 1 table not as the log says" in result.err


def test_rows_of_every_shape_are_as_their_events_say(
    conn: psycopg.Connection, db: str, auditctl: RunAuditctl, unguarded: None
) -> None:
    columns = ", ".join(f"c{number} text default 'v'" for number in range(300))
    conn.execute(
        f"""
        create domain money_amount as numeric(10, 2);
        create type pair as (a int, b text);
        create type mood as enum ('sad', 'glad');
        create table kinds (
            new int primary key, f float8, fs float4[], a text[], j jsonb, js json, b bytea, t timestamptz, i interval,
            m mood, d money_amount, p pair, ps pair[], r int4range, x xml, c char(5),
            g int generated always as (new * 2) stored, n numeric, v varchar(10), net inet, bits bit(3),
            secret text, hidden text
        );
        create table wide (id int primary key, {columns});
        create table composite (a int, b text, v text, primary key (b, a));
        create table secretly (id text primary key, v text);
        create table parted (id int, p int, v text, primary key (id, p)) partition by list (p);
        create table parted_1 partition of parted for values in (1);
        create table parted_2 (v text, p int not null, id int not null);
        alter table parted attach partition parted_2 for values in (2);
        create table parent (id int primary key, v text);
        create table child (extra text) inherits (parent);
        alter table child add primary key (id);
        create table named (id int, v text, unique (id));
    """.encode()
    )
    audit(db, "kinds", exclude=("hidden",), mask=("secret",))
    audit(db, "secretly", mask=("id",))
    audit(db, "wide", "composite", "parted", "parent")
    audit(db, "named", key=("id",))
    conn.execute("""
        insert into kinds values
            (1, '-0', '{-0,1}', '[0:1]={a,b}', 'null', '{"a" : 1}', '\\x00ff', now(), '1 day', 'sad', 1.5, (1, 'x'),
             array[(1, 'y')::pair], '[1,5)', '<a/>', 'c', default, 'NaN', 'v', '10.0.0.1/8', '101', 's', 'h'),
            (2, 'Infinity', '{}', '{{1,2},{3,4}}', '{"$masked": true}', '[1]', null, 'infinity', '24:00', null, null,
             null, null, 'empty', null, null, default, 1.00, '', null, null, null, null);
        insert into kinds (new) values (3);
        update kinds set f = 0, j = '{"$sha256": 1}', n = 1.000, hidden = 'x', secret = 'y';
        update kinds set new = 4 where new = 3;
        insert into wide (id) select generate_series(1, 3);
        update wide set c299 = null where id = 2;
        insert into composite values (1, 'x', 'a'), (2, 'x', 'b'); update composite set a = a + 2;
        insert into secretly values ('a', 'x'), ('b', 'y'); update secretly set v = 'z' where id = 'b';
        update secretly set id = 'c' where id = 'b';
        insert into parted values (1, 1, 'a'), (2, 2, 'b'), (3, 1, 'c');
        update parted set p = 2, v = 'moved' where id = 1; truncate parted_1; insert into parted values (3, 1, 'again');
        insert into parent values (1, 'p'); insert into child values (1, 'c', 'e'); update child set v = 'd';
        insert into named values (1, 'a'), (2, 'b'); update named set id = id + 10; delete from named where id = 12;
        alter table named rename to renamed;
        """)
    conn.execute("insert into renamed values (1, 'c'); update renamed set v = 'd'")
    auditctl("apply", "--yes")
    result = auditctl("reconcile", check=0)
    assert result.out == ""
    assert "not compared in public.kinds: excluded hidden; masked secret" in result.err
    past(
        conn, "kinds", "update kinds set secret = 'other', hidden = 'other'",
        "update kinds set f = '-0', r = '[1,6)' where new = 1",
        "update kinds set js = '[1] ', ps = '{}' where new = 2", "delete from kinds where new = 4",
    )  # fmt: skip
    past(conn, "child", "update child set extra = 'f', v = 'c'")
    past(conn, "secretly", "update secretly set v = 'q' where id = 'a'")
    past(conn, "wide", "update wide set c298 = 'x' where id = 3")
    assert found(auditctl, "kinds", "parent", "wide") == [
        ("altered", "1", ["f", "r"]),
        ("altered", "2", ["js", "ps"]),
        ("vanished", "4"),
        ("altered", "1", ["extra", "v"]),
        ("altered", "3", ["c298"]),
    ]
    ((kind, key, columns_found),) = found(auditctl, "secretly")
    assert (kind, key[:7], columns_found) == ("altered", "hidden:", ["v"])
