"""Tables of every shape: odd names, no columns, as many as there can be, generated ones, and names of capture's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest
from psycopg import sql

from auditctl.capture import apply
from auditctl.table_names import qualified
from tests.capture.test_images import events
from tests.capture.test_replay import stored
from tests.support.capturing import rule
from tests.support.replay import rebuild
from tests.support.scenarios import NAMES

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.slow

OWN_NAMES = (
    "new", "old", "tg_op", "tg_relid", "tg_table_name", "v_old", "v_new", "v_who", "v_target_id",
    "v_previous_target_id",
    "c", "p_row", "v_image", "v_column", "target", "actor", "action", "row", "auditctl", "event",
)  # fmt: skip

ODD_CHANGES: tuple[LiteralString, ...] = (
    "insert into {t} values ('x', 'y'), ('z', null)",
    "delete from {t} where b is null",
    "update {t} set b = 'w'",
    "update {t} set {c} = {c} || 'x'",
)


def twins(conn: psycopg.Connection, name: str, columns: str) -> tuple[sql.Identifier, sql.Identifier]:
    """An audited table, and an empty one of the same definition."""
    places = sql.Identifier("live", name), sql.Identifier("rebuilt", name)
    for schema, place in zip(("live", "rebuilt"), places, strict=True):
        conn.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        conn.execute(sql.SQL("create table {} ").format(place) + sql.SQL(columns))
    apply.enable(conn, rule("live." + sql.Identifier(name).as_string(conn)))
    return places


def assert_rebuilt(conn: psycopg.Connection, live: sql.Identifier, rebuilt: sql.Identifier, target: str) -> None:
    rebuild(conn, target, rebuilt)
    assert stored(conn, rebuilt.as_string(conn)) == stored(conn, live.as_string(conn))


@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
def test_a_table_with_a_column_of_its_own_odd_name_is_recorded(conn: psycopg.Connection, keyed: bool) -> None:
    for name in NAMES:
        with conn.transaction(force_rollback=True):
            column = sql.Identifier(name)
            key = "primary key" if keyed else ""
            live, rebuilt = twins(conn, name, f"({column.as_string(conn)} text {key}, b text)")
            for standard in ("on", "off"):
                conn.execute(sql.SQL("set standard_conforming_strings = {}").format(sql.SQL(standard)))
                for statement in ODD_CHANGES:
                    conn.execute(sql.SQL(statement).format(t=live, c=column))
            assert_rebuilt(conn, live, rebuilt, qualified("live", name))


def test_columns_named_like_the_variables_of_capture_are_recorded(conn: psycopg.Connection) -> None:
    names = ", ".join(f'"{name}"' for name in OWN_NAMES)
    live, rebuilt = twins(conn, "new", f"({names.replace(',', ' text,')} text, primary key (new, v_old))")
    values = ", ".join(f"'{name}'" for name in OWN_NAMES)
    conn.execute(sql.SQL("insert into {} values ").format(live) + sql.SQL(f"({values})"))
    conn.execute(sql.SQL("update {} set old = 'o', v_new = null, v_old = 'k'").format(live))
    assert_rebuilt(conn, live, rebuilt, "live.new")
    conn.execute(sql.SQL("alter table {} add late text").format(live))
    conn.execute(sql.SQL("update {} set old = 'p', late = 'l', new = 'n'").format(live))
    conn.execute(sql.SQL("delete from {}").format(live))
    changes = [(action, key, len((old or "{}").split(","))) for action, key, old, _ in events(conn, "live.new")]
    assert changes == [
        ("CREATE", '["new", "v_old"]', 1),
        ("UPDATE", '["new", "k"]', 3),
        ("UPDATE", '["n", "k"]', 3),
        ("DELETE", '["n", "k"]', len(OWN_NAMES) + 1),
    ]


def test_a_table_without_columns_is_recorded(conn: psycopg.Connection) -> None:
    live, rebuilt = twins(conn, "t", "()")
    for statement in (
        "insert into {} default values",
        "delete from {}",
        "insert into {} default values",
        "truncate {}",
    ):
        conn.execute(sql.SQL(statement).format(live))
    conn.execute(sql.SQL("insert into {} default values").format(live))
    assert events(conn, "live.t") == [
        ("CREATE", None, None, "{}"),
        ("DELETE", None, "{}", None),
        ("CREATE", None, None, "{}"),
        ("TRUNCATE", None, None, None),
        ("CREATE", None, None, "{}"),
    ]
    rebuild(conn, "live.t", rebuilt)
    assert conn.execute("select count(*) from rebuilt.t").fetchone() == (1,)


@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
def test_the_first_and_the_last_of_1600_columns_are_recorded(conn: psycopg.Connection, keyed: bool) -> None:
    columns = ", ".join(f"c{number} integer" for number in range(1, 1600))
    live, rebuilt = twins(conn, "wide", f"(c0 integer {'primary key' if keyed else ''}, {columns})")
    numbers = ", ".join(map(str, range(1600)))
    conn.execute(sql.SQL("insert into {} values ").format(live) + sql.SQL(f"({numbers})"))
    conn.execute("update live.wide set c0 = -1")
    conn.execute("update live.wide set c1599 = null")
    assert_rebuilt(conn, live, rebuilt, "live.wide")
    conn.execute("delete from live.wide")
    changes = conn.execute(
        "select action::text, target_id, (select count(*) from jsonb_object_keys(old_values)), new_values "
        "from auditctl.event where target = 'live.wide' and action <> 'CREATE' order by event_id"
    ).fetchall()
    whole, key = (1, "-1") if keyed else (1600, None)
    assert changes == [
        ("UPDATE", key, whole, {"c0": -1}),
        ("UPDATE", key, whole, {"c1599": None}),
        ("DELETE", key, 1600, None),
    ]


def test_generated_and_identity_columns_are_recorded_as_stored(conn: psycopg.Connection) -> None:
    columns = "id integer generated always as identity primary key, n integer"
    stored_column, virtual = (f", {name} integer generated always as (n * 2) {name}" for name in ("stored", "virtual"))
    columns += stored_column + (virtual if conn.info.server_version >= 180000 else "")
    live, rebuilt = twins(conn, "t", f"({columns})")
    conn.execute("insert into live.t (n) values (1), (2)")
    conn.execute("update live.t set n = 5 where id = 1")
    conn.execute("delete from live.t where id = 2")
    assert events(conn, "live.t") == [
        ("CREATE", "1", None, '{"n": 1, "id": 1, "stored": 2}'),
        ("CREATE", "2", None, '{"n": 2, "id": 2, "stored": 4}'),
        ("UPDATE", "1", '{"n": 1, "stored": 2}', '{"n": 5, "stored": 10}'),
        ("DELETE", "2", '{"n": 2, "id": 2, "stored": 4}', None),
    ]
    assert_rebuilt(conn, live, rebuilt, "live.t")


def test_a_changed_image_of_an_equal_key_is_a_changed_key(conn: psycopg.Connection) -> None:
    live, rebuilt = twins(conn, "t", "(a numeric, b interval, primary key (a, b))")
    conn.execute("insert into live.t values (1.0, '1 day')")
    conn.execute("update live.t set a = 1.00, b = '24 hours'")
    assert events(conn, "live.t") == [
        ("CREATE", '[1.0, "1 day"]', None, '{"a": 1.0, "b": "1 day"}'),
        ("UPDATE", '[1.00, "24:00:00"]', '{"a": 1.0, "b": "1 day"}', '{"a": 1.00, "b": "24:00:00"}'),
    ]
    assert_rebuilt(conn, live, rebuilt, "live.t")


def test_json_is_recorded_letter_by_letter_however_deep(conn: psycopg.Connection) -> None:
    live, rebuilt = twins(conn, "t", "(id integer primary key, v json, w jsonb)")
    conn.execute("insert into live.t values (1, (repeat('[ ', 5000) || repeat(']', 5000))::json, null)")
    conn.execute("update live.t set w = (repeat('[', 5000) || repeat(']', 5000))::jsonb")
    conn.execute("""update live.t set v = '{"b":1, "a" :2,"a":1e400000, "c": "\\u0000"}'""")
    assert_rebuilt(conn, live, rebuilt, "live.t")
