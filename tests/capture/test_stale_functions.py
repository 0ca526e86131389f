"""A table that changed since its functions were generated: writes succeed, and are recorded as the table is now."""

from __future__ import annotations

import psycopg
import pytest

from auditctl import database
from auditctl.capture import apply
from tests.capture.test_images import audit, events

pytestmark = pytest.mark.usefixtures("unguarded")
"""What happens to capture where nobody may create event triggers; with the guard, see test_guard_*."""

CHANGES = (
    ("alter table t add column extra text default 'e'", '{"a": "z", "id": 1, "gone": "g", "extra": "e"}'),
    ("alter table t drop column gone", '{"a": "z", "id": 1}'),
    ("alter table t rename column gone to kept", '{"a": "z", "id": 1, "kept": "g"}'),
    (
        "alter table t alter column gone type bytea using convert_to(gone, 'UTF8')",
        '{"a": "z", "id": 1, "gone": "\\\\x67"}',
    ),
    ("alter table t alter column gone type json using to_json(gone)", '{"a": "z", "id": 1, "gone": "\\"g\\""}'),
    ("alter table t alter column id type bigint", '{"a": "z", "id": 1, "gone": "g"}'),
    ("alter table t drop constraint t_pkey", '{"a": "z", "id": 1, "gone": "g"}'),
)


@pytest.mark.parametrize(("change", "deleted"), CHANGES)
def test_a_change_of_the_table_is_followed(conn: psycopg.Connection, db: str, change: str, deleted: str) -> None:
    conn.execute("create table t (id integer primary key, a text, gone text)")
    conn.execute("insert into t values (1, 'x', 'g')")
    audit(db, "t")
    conn.execute("update t set a = 'y'")
    conn.execute(change)
    conn.execute("update t set a = 'z'")
    conn.execute("delete from t")
    assert events(conn, "public.t") == [
        ("UPDATE", "1", '{"a": "x"}', '{"a": "y"}'),
        ("UPDATE", "1", '{"a": "y"}', '{"a": "z"}'),
        ("DELETE", "1", deleted, None),
    ]


SECRETS = (
    "alter table t rename column secret to other",
    "alter table t rename column secret to other; alter table t add column late text default 'l'",
    "alter table t rename column secret to other; alter table t rename column name to secret",
    "alter table t add column late text default 'l'; alter table t rename column secret to other",
)


@pytest.mark.parametrize("rule", ["exclude", "mask"])
@pytest.mark.parametrize("change", SECRETS)
def test_a_hidden_column_stays_hidden_under_a_new_name(
    conn: psycopg.Connection, db: str, change: str, rule: str
) -> None:
    conn.execute("create table t (id integer primary key, name text, secret text)")
    conn.execute("insert into t values (1, 'Ann', 'hush'), (2, 'Bob', 'hush')")
    audit(db, "t", **{rule: ("secret",)})
    conn.execute(change)
    conn.execute("update t set other = 'hush, too', id = id + 10")
    conn.execute("insert into t (id, other) values (3, 'hush')")
    conn.execute("delete from t")
    rows = events(conn, "public.t")
    assert [row[0] for row in rows] == ["UPDATE", "UPDATE", "CREATE", "DELETE", "DELETE", "DELETE"]
    assert "hush" not in str(rows)


def test_apply_brings_back_the_fast_way(conn: psycopg.Connection, db: str) -> None:
    conn.execute("create table t (id integer primary key)")
    audit(db, "t")
    conn.execute("alter table t add column late text")
    with database.connect(db) as session:
        assert [change.kind for change in apply.apply(session).pending] == ["REPLACE"] * 3
        assert apply.plan(session).pending == ()
