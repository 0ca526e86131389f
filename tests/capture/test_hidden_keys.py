"""No key holds a masked or excluded column: a keyed hash stands in its place, whatever made the column a part of it."""

from __future__ import annotations

import re
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.support.capturing import apply, audit, pending, plan

pytestmark = pytest.mark.slow

SECRETS = ("wxyz", "wzzz", "hush")
"""Values that no event may hold; no hash looks like them."""

HASH = r"hidden:[0-9a-f]{32}"

TABLE: LiteralString = "create table {} (id integer primary key, card text not null, x text not null, v text)"

WRITES: LiteralString = """
    insert into {0} (id, card, x, v) values (1, 'wxyz', 'hush', 'a');
    update {0} set v = 'b' where id = 1;
    update {0} set card = 'wzzz' where id = 1;
    delete from {0}
"""

BECOME_KEYS: dict[str, LiteralString] = {
    "a": "alter table a drop constraint a_pkey; alter table a add primary key (card, x)",
    "b": "alter table b drop constraint b_pkey; alter table b add primary key (x)",
    "c": "alter table c drop constraint c_pkey, add primary key (v, card)",
    "d": "alter table d rename card to pan; alter table d drop constraint d_pkey; alter table d add primary key (pan); "
    "alter table d rename pan to card",
    "e": "alter table e drop constraint e_pkey; create unique index u on e (card); "
    "alter table e add primary key using index u",
}
"""How a hidden column becomes part of the key of a table, by the table's name."""


def everything(conn: psycopg.Connection) -> str:
    """All that the log holds, as text."""
    rows = conn.execute("select to_jsonb(e)::text from auditctl.event as e").fetchall()
    rows += conn.execute("select to_jsonb(k)::text from auditctl.key_change as k").fetchall()
    return "\n".join(text for (text,) in rows)


def keys(conn: psycopg.Connection, target: str) -> list[Any]:
    """The keys of a target's events, oldest first."""
    query = "select target_id from auditctl.event where target = %s order by event_id"
    return [key for (key,) in conn.execute(query, [target]).fetchall()]


def require_hidden(conn: psycopg.Connection) -> None:
    """Fail where the log holds a secret."""
    log = everything(conn)
    assert [secret for secret in SECRETS if secret in log] == []


@pytest.mark.parametrize("guard", ["guard", "no guard", "no guard, applied"])
def test_a_hidden_column_that_becomes_part_of_the_key_stays_hidden(
    db: str, conn: psycopg.Connection, guard: str
) -> None:
    for table in BECOME_KEYS:
        conn.execute(sql.SQL(TABLE).format(sql.Identifier(table)))
    audit(db, "public.*", mask=("card",), exclude=("x",))
    if guard != "guard":
        conn.execute("alter event trigger auditctl_guard_ddl disable")
    for table, statements in BECOME_KEYS.items():
        conn.execute(statements)
        if guard == "no guard":
            conn.execute(sql.SQL(WRITES).format(sql.Identifier(table)))
    if guard != "no guard":
        apply(db)
        assert pending(db) == []
        for table in BECOME_KEYS:
            conn.execute(sql.SQL(WRITES).format(sql.Identifier(table)))
            assert all("hidden:" in key for key in keys(conn, f"public.{table}"))
    require_hidden(conn)


def test_the_hash_follows_one_row_and_its_change_of_key(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table c (id integer, card text, x text, v text, primary key (card, id))")
    audit(db, "c", mask=("card",), exclude=("x",))
    assert plan(db).warnings == (
        "the key of public.c has hidden columns: its events have a keyed hash of card in target_id.",
    )
    conn.execute(sql.SQL(WRITES).format(sql.SQL("c")))
    created, updated, changed, deleted = keys(conn, "public.c")
    assert re.fullmatch(rf'\["{HASH}", 1\]', created)
    assert (updated, deleted) == (created, changed)
    assert changed != created
    history = "select count(*) from auditctl.history('public.c', %s)"
    assert conn.execute(history, [changed]).fetchone() == (4,)
    require_hidden(conn)


def test_the_careful_way_and_the_generated_code_give_the_same_hash(db: str, conn: psycopg.Connection) -> None:
    kinds = {
        "char(6)": "4111", "numeric": "4111.0", "bytea": "4111", "integer[]": "{4111}", "timestamptz": "4111-01-01",
        "my_domain": "4111", "double precision": "0.1", "jsonb": '{"a": 1.0}',
    }  # fmt: skip
    conn.execute("create domain my_domain as text")
    for number, kind in enumerate(kinds):
        conn.execute(f"create table t{number} (card {kind} primary key, v text)".encode())
    audit(db, "public.*", mask=("card",))
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    for number, value in enumerate(kinds.values()):
        conn.execute(
            f"insert into t{number} values ('{value}', 'a'); alter table t{number} add column w integer".encode()
        )
        conn.execute("set timezone = 'Asia/Kathmandu'; set extra_float_digits = -15; set bytea_output = escape")
        conn.execute(f"update t{number} set v = 'b'; delete from t{number}; reset all".encode())
        (key,) = {*keys(conn, f"public.t{number}")}
        assert re.fullmatch(HASH, key)


def test_the_key_of_a_child_and_of_a_table_without_a_primary_key_is_hidden_too(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("""
        create table c (id integer primary key, card text not null, x text, v text);
        create table child (primary key (card)) inherits (c);
        create table later (id integer not null, card text not null, x text, v text, primary key (x, card));
        create table keyless (id integer, card text, x text, v text);
        create table parted (id integer, card text, x text, v text, primary key (card)) partition by hash (card);
        create table parted_0 partition of parted for values with (modulus 1, remainder 0)
    """)
    audit(db, "c", mask=("card",), exclude=("x",))
    audit(db, "keyless", mask=("card",), exclude=("x",), key=("card", "x"))
    audit(db, "parted", mask=("card",), exclude=("x",))
    conn.execute("alter table later inherit c")
    for table in ("child", "later", "keyless", "parted", "parted_0"):
        conn.execute(sql.SQL(WRITES).format(sql.Identifier(table)))
    require_hidden(conn)
    assert all("hidden:" in key for key in keys(conn, "public.c") + keys(conn, "public.keyless"))


def test_a_write_succeeds_without_the_secret_that_hides_keys(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table c (id integer, card text primary key, x text, v text)")
    audit(db, "c", mask=("card",), exclude=("x",))
    conn.execute("delete from auditctl.log_key")
    conn.execute(sql.SQL(WRITES).format(sql.SQL("c")))
    assert keys(conn, "public.c") == [None] * 4
    require_hidden(conn)
