"""What follows from a change by a constraint is captured too: cascades, exchanged keys, checks put off, TRUNCATE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from tests.support.capturing import audit, events
from tests.support.replaying import changes, order, replay, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

PARENT, CHILD = "public.parent", "public.child"

DELETE_PARENT = (PARENT, "DELETE", "1", {"id": 1}, None)
RENUMBER_PARENT = (PARENT, "UPDATE", "9", {"id": 1}, {"id": 9})

REACTIONS: list[tuple[LiteralString, LiteralString, list[tuple[Any, ...]]]] = [
    (
        "on delete cascade",
        "delete from parent where id = 1",
        [
            DELETE_PARENT,
            (CHILD, "DELETE", "10", {"id": 10, "parent": 1}, None),
            (CHILD, "DELETE", "11", {"id": 11, "parent": 1}, None),
        ],
    ),
    (
        "on delete set null",
        "delete from parent where id = 1",
        [
            DELETE_PARENT,
            (CHILD, "UPDATE", "10", {"parent": 1}, {"parent": None}),
            (CHILD, "UPDATE", "11", {"parent": 1}, {"parent": None}),
        ],
    ),
    (
        "on delete set default",
        "delete from parent where id = 1",
        [
            DELETE_PARENT,
            (CHILD, "UPDATE", "10", {"parent": 1}, {"parent": 0}),
            (CHILD, "UPDATE", "11", {"parent": 1}, {"parent": 0}),
        ],
    ),
    (
        "on update cascade",
        "update parent set id = 9 where id = 1",
        [
            RENUMBER_PARENT,
            (CHILD, "UPDATE", "10", {"parent": 1}, {"parent": 9}),
            (CHILD, "UPDATE", "11", {"parent": 1}, {"parent": 9}),
        ],
    ),
    (
        "on update set null",
        "update parent set id = 9 where id = 1",
        [
            RENUMBER_PARENT,
            (CHILD, "UPDATE", "10", {"parent": 1}, {"parent": None}),
            (CHILD, "UPDATE", "11", {"parent": 1}, {"parent": None}),
        ],
    ),
    (
        "on update set default",
        "update parent set id = 9 where id = 1",
        [
            RENUMBER_PARENT,
            (CHILD, "UPDATE", "10", {"parent": 1}, {"parent": 0}),
            (CHILD, "UPDATE", "11", {"parent": 1}, {"parent": 0}),
        ],
    ),
]

REFUSED: list[tuple[LiteralString, LiteralString]] = [
    ("on delete restrict", "delete from parent where id = 1"),
    ("on delete no action", "delete from parent where id = 1"),
    ("on update restrict", "update parent set id = 9 where id = 1"),
    ("on update no action", "update parent set id = 9 where id = 1"),
    ("on delete no action deferrable initially deferred", "delete from parent where id = 1"),
]


def family(dsn: str, conn: psycopg.Connection, reaction: LiteralString) -> None:
    """A parent with two children, a default parent, and a parent without children."""
    conn.execute(f"""
        create table parent (id int primary key);
        create table child (id int primary key, parent int default 0 references parent {reaction});
        insert into parent values (0), (1), (2);
        insert into child values (10, 1), (11, 1), (12, 0)
    """)
    audit(dsn, "parent", "child")


@pytest.mark.parametrize(("reaction", "statement", "found"), REACTIONS, ids=[row[0] for row in REACTIONS])
def test_what_a_foreign_key_does_to_other_rows_is_captured(
    db: str,
    conn: psycopg.Connection,
    reaction: LiteralString,
    statement: LiteralString,
    found: list[tuple[Any, ...]],
) -> None:
    family(db, conn, reaction)
    before = {name: rows(conn, name) for name in (PARENT, CHILD)}
    conn.execute(statement)
    assert events(conn, PARENT, CHILD) == found
    for name in (PARENT, CHILD):
        assert replay(conn, name, before[name]) == rows(conn, name)


@pytest.mark.parametrize(("reaction", "statement"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_a_foreign_key_refuses_leaves_nothing(
    db: str, conn: psycopg.Connection, reaction: LiteralString, statement: LiteralString
) -> None:
    family(db, conn, reaction)
    with pytest.raises(psycopg.errors.IntegrityError):
        conn.execute(statement)
    assert events(conn, PARENT, CHILD) == []
    conn.execute("update parent set id = 8 where id = 2; delete from parent where id = 8")
    assert events(conn, PARENT, CHILD) == [
        (PARENT, "UPDATE", "8", {"id": 2}, {"id": 8}),
        (PARENT, "DELETE", "8", {"id": 8}, None),
    ]


def test_a_cascade_in_a_table_itself_reaches_every_level_once(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table node (id int primary key, above int references node on delete cascade on update cascade);
        insert into node values (1, null), (2, 1), (3, 1), (4, 2), (5, 5), (6, null)
    """)
    audit(db, "node")
    before = rows(conn, "public.node")
    conn.execute("update node set id = 20 where id = 2")
    conn.execute("delete from node where id in (1, 5)")
    assert changes(conn, "public.node") == [
        ("UPDATE", "20", {"id": 2}, {"id": 20}, None),
        ("UPDATE", "4", {"above": 2}, {"above": 20}, None),
        ("DELETE", "1", {"id": 1, "above": None}, None, None),
        ("DELETE", "5", {"id": 5, "above": 5}, None, None),
        ("DELETE", "3", {"id": 3, "above": 1}, None, None),
        ("DELETE", "20", {"id": 20, "above": 1}, None, None),
        ("DELETE", "4", {"id": 4, "above": 20}, None, None),
    ]
    assert replay(conn, "public.node", before) == rows(conn, "public.node") == [(None, {"id": 6, "above": None})]


def test_a_cascade_over_three_tables_is_captured_in_each(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table a (id int primary key);
        create table b (id int primary key, a int references a on delete cascade);
        create table c (id int primary key, b int references b on delete set null);
        insert into a values (1), (2); insert into b values (1, 1), (2, 2); insert into c values (1, 1), (2, 2)
    """)
    audit(db, "a", "b", "c")
    conn.execute("delete from a where id = 1")
    assert events(conn, "public.a", "public.b", "public.c") == [
        ("public.a", "DELETE", "1", {"id": 1}, None),
        ("public.b", "DELETE", "1", {"id": 1, "a": 1}, None),
        ("public.c", "UPDATE", "1", {"b": 1}, {"b": None}),
    ]


@pytest.fixture
def seat(db: str, conn: psycopg.Connection) -> Iterator[str]:
    """A table whose keys may be exchanged in one statement."""
    conn.execute("""
        create table seat (id int primary key deferrable, guest text);
        insert into seat values (1, 'Ann'), (2, 'Bob'), (3, 'Cy')
    """)
    audit(db, "seat")
    yield "public.seat"


def test_rows_that_exchange_their_keys_are_told_apart(conn: psycopg.Connection, seat: str) -> None:
    conn.execute("update seat set id = 3 - id where id < 3")
    moves = "select target_id, context ->> 'previous_target_id' from auditctl.event where target = %s order by event_id"
    assert changes(conn, seat) == [
        ("UPDATE", "2", {"id": 1}, {"id": 2}, None),
        ("UPDATE", "1", {"id": 2}, {"id": 1}, None),
    ]
    assert conn.execute(moves, [seat]).fetchall() == [("2", "1"), ("1", "2")]


def test_keys_that_are_equal_until_the_commit_are_captured(conn: psycopg.Connection, seat: str) -> None:
    with conn.transaction():
        conn.execute("set constraints all deferred")
        conn.execute("update seat set id = 2 where guest = 'Ann'; update seat set id = 1 where guest = 'Bob'")
    with pytest.raises(psycopg.errors.UniqueViolation), conn.transaction():
        conn.execute("set constraints all deferred")
        conn.execute("update seat set id = 9 where guest = 'Cy'; insert into seat values (9, 'Dee')")
    assert changes(conn, seat) == [
        ("UPDATE", "2", {"id": 1}, {"id": 2}, None),
        ("UPDATE", "1", {"id": 2}, {"id": 1}, None),
    ]


def test_all_keys_moved_on_by_one_are_captured(conn: psycopg.Connection, seat: str) -> None:
    conn.execute("update seat set id = id + 1")
    assert changes(conn, seat) == [
        ("UPDATE", "2", {"id": 1}, {"id": 2}, None),
        ("UPDATE", "3", {"id": 2}, {"id": 3}, None),
        ("UPDATE", "4", {"id": 3}, {"id": 4}, None),
    ]


def test_rows_written_before_the_rows_they_refer_to_are_captured(db: str, conn: psycopg.Connection) -> None:
    family(db, conn, "deferrable initially deferred")
    with conn.transaction():
        conn.execute("insert into child values (30, 3); insert into parent values (3)")
    with pytest.raises(psycopg.errors.ForeignKeyViolation), conn.transaction():
        conn.execute("insert into child values (40, 4)")
    assert events(conn, PARENT, CHILD) == [
        (CHILD, "CREATE", "30", None, {"id": 30, "parent": 3}),
        (PARENT, "CREATE", "3", None, {"id": 3}),
    ]


def test_a_truncate_that_cascades_leaves_one_event_for_each_table(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table a (id int primary key);
        create table b (id int primary key, a int references a);
        create table c (id int primary key, b int references b);
        create table alone (id int generated always as identity primary key)
    """)
    audit(db, "a", "b", "c", "alone")
    targets = ("public.a", "public.b", "public.c", "public.alone")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        conn.execute("truncate a")
    with conn.transaction(force_rollback=True):
        conn.execute("truncate a cascade")
    assert order(conn, *targets) == []
    conn.execute("truncate a cascade")
    assert order(conn, *targets) == [("a", "TRUNCATE", None), ("b", "TRUNCATE", None), ("c", "TRUNCATE", None)]
    conn.execute("insert into alone default values; truncate alone, b, c restart identity")
    conn.execute("insert into alone default values")
    assert order(conn, *targets)[3:] == [
        ("alone", "CREATE", "1"),
        ("alone", "TRUNCATE", None),
        ("b", "TRUNCATE", None),
        ("c", "TRUNCATE", None),
        ("alone", "CREATE", "1"),
    ]
    assert replay(conn, "public.alone") == rows(conn, "public.alone") == [(None, {"id": 1})]
