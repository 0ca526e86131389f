"""Changes that come from another server, and writes that pass for such: the subscriber's log holds each once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl.demo.server import EmbeddedServer
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.replaying import changes, counted, replay, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow  # needs another server, and waits for what it sends

SECONDS = 60

SETTINGS = {"wal_level": "logical", "max_prepared_transactions": "10", "logical_decoding_work_mem": "64kB"}
"""What the second server needs to publish, prepare, and send a transaction before it has ended."""

OPTIONS: list[tuple[LiteralString, int]] = [
    ("binary = true", 140000),
    ("streaming = on", 140000),
    ("two_phase = true", 150000),
    ("streaming = parallel", 160000),
    ("streaming = parallel, two_phase = true, binary = true", 160000),
]
"""Ways in which a subscriber may receive changes, and since which version of PostgreSQL."""

ITEM = "create table item (id int primary key, v text)"
SALE = """
    create table sale (id int, shop text, n int, primary key (id, shop)) partition by list (shop);
    create table sale_a partition of sale for values in ('a');
    create table sale_b partition of sale for values in ('b')
"""

WRITERS = """
    select distinct actor, actor_kind, ip, db_user from auditctl.event where target = 'public.item'
"""


@pytest.fixture(scope="module")
def publisher(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """A second server, without the store."""
    with EmbeddedServer(Path(server.bindir), settings=SETTINGS, tcp=True) as started:
        yield started


@pytest.fixture
def source(publisher: EmbeddedServer) -> Iterator[psycopg.Connection]:
    """A session in a new database of the second server."""
    with connect(publisher.dsn()) as maintenance:
        maintenance.execute("create database source")
        with connect(publisher.dsn("source")) as session:
            yield session
        maintenance.execute("drop database source with (force)")


@pytest.fixture
def subscription(publisher: EmbeddedServer, source: psycopg.Connection, conn: psycopg.Connection) -> Iterator[str]:
    """The name of a subscription, which the test makes with `subscribe`; its slot goes before the source does."""
    yield "incoming"
    conn.execute("drop subscription if exists incoming")


def subscribe(
    publisher: EmbeddedServer, conn: psycopg.Connection, name: str, options: LiteralString = "binary = false"
) -> None:
    """Make the subscription and wait until it has copied what was there."""
    statement = sql.SQL("create subscription {} connection {} publication outgoing with ({})")
    source = sql.Literal(publisher.dsn("source"))
    conn.execute(statement.format(sql.Identifier(name), source, sql.SQL(options)))
    wait(conn, "select bool_and(srsubstate = 'r') from pg_subscription_rel")


def wait(conn: psycopg.Connection, question: LiteralString, *parameters: object) -> None:
    """Wait until the answer is yes."""
    limit = time.monotonic() + SECONDS
    while True:
        row = conn.execute(question, parameters).fetchone()
        if row is not None and row[0]:
            return
        assert time.monotonic() < limit, f"never came true: {question}"
        time.sleep(0.05)


def arrive(source: psycopg.Connection, name: str = "incoming") -> None:
    """Wait until the subscriber has applied all that the source wrote so far."""
    row = source.execute("select pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    wait(
        source,
        "select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots where slot_name = %s",
        row[0],
        name,
    )


def test_writes_in_replica_mode_are_captured(db: str, conn: psycopg.Connection) -> None:
    conn.execute(f"{ITEM}; {SALE}")
    audit(db, "item", "sale")
    for mode in ("replica", "local", "origin"):
        conn.execute("select set_config('session_replication_role', %s, false)", [mode])
        conn.execute("""
            insert into item values (1, 'one'); update item set v = 'uno', id = 2; delete from item; truncate item;
            insert into sale values (1, 'a', 1); update sale set shop = 'b'; truncate sale_b; truncate sale_a
        """)
    assert changes(conn, "public.item") == 3 * [
        ("CREATE", "1", None, {"id": 1, "v": "one"}, None),
        ("UPDATE", "2", {"id": 1, "v": "one"}, {"id": 2, "v": "uno"}, None),
        ("DELETE", "2", {"id": 2, "v": "uno"}, None, None),
        ("TRUNCATE", None, None, None, None),
    ]
    assert changes(conn, "public.sale") == 3 * [
        ("CREATE", '[1, "a"]', None, {"id": 1, "shop": "a", "n": 1}, "public.sale_a"),
        ("DELETE", '[1, "a"]', {"id": 1, "shop": "a", "n": 1}, None, "public.sale_a"),
        ("CREATE", '[1, "b"]', None, {"id": 1, "shop": "b", "n": 1}, "public.sale_b"),
        ("TRUNCATE", None, None, None, "public.sale_b"),
        ("TRUNCATE", None, None, None, "public.sale_a"),
    ]


def test_what_a_subscriber_copies_and_applies_is_in_its_log_once(
    publisher: EmbeddedServer, source: psycopg.Connection, subscription: str, db: str, conn: psycopg.Connection
) -> None:
    source.execute(f"{ITEM}; insert into item values (1, 'one'), (2, 'two'), (3, 'three')")
    source.execute("create publication outgoing for table item")
    conn.execute(ITEM)
    audit(db, "item", require_reason=True)
    subscribe(publisher, conn, subscription)
    with source.transaction():
        source.execute("insert into item values (4, 'four'), (5, 'five')")
        source.execute("savepoint a; delete from item; rollback to a")
        source.execute("update item set v = 'uno' where id = 1")
    source.execute("update item set v = v where id = 2")
    source.execute("update item set id = 30 where id = 3")
    source.execute("delete from item where id in (2, 4)")
    with source.transaction(force_rollback=True):
        source.execute("delete from item")
    with source.cursor().copy("copy item from stdin") as copy:
        copy.write(b"6\tsix\n")
    arrive(source)
    found = changes(conn, "public.item")
    assert sorted(found[:3], key=repr) == [
        ("CREATE", "1", None, {"id": 1, "v": "one"}, None),
        ("CREATE", "2", None, {"id": 2, "v": "two"}, None),
        ("CREATE", "3", None, {"id": 3, "v": "three"}, None),
    ]
    assert found[3:] == [
        ("CREATE", "4", None, {"id": 4, "v": "four"}, None),
        ("CREATE", "5", None, {"id": 5, "v": "five"}, None),
        ("UPDATE", "1", {"v": "one"}, {"v": "uno"}, None),
        ("UPDATE", "30", {"id": 3}, {"id": 30}, None),
        ("DELETE", "2", {"id": 2, "v": "two"}, None, None),
        ("DELETE", "4", {"id": 4, "v": "four"}, None, None),
        ("CREATE", "6", None, {"id": 6, "v": "six"}, None),
    ]
    assert replay(conn, "public.item") == rows(conn, "public.item") == rows(source, "public.item")
    source.execute("truncate item; insert into item values (7, 'seven')")
    arrive(source)
    assert changes(conn, "public.item")[10:] == [
        ("TRUNCATE", None, None, None, None),
        ("CREATE", "7", None, {"id": 7, "v": "seven"}, None),
    ]
    assert replay(conn, "public.item") == rows(conn, "public.item") == rows(source, "public.item")


@pytest.mark.parametrize(("options", "since"), OPTIONS, ids=[options for options, _ in OPTIONS])
def test_large_and_prepared_transactions_arrive_in_the_log_once_however_they_are_sent(
    publisher: EmbeddedServer,
    source: psycopg.Connection,
    subscription: str,
    db: str,
    conn: psycopg.Connection,
    options: LiteralString,
    since: int,
) -> None:
    source.execute(f"{ITEM}; create publication outgoing for table item")
    conn.execute(ITEM)
    audit(db, "item")
    if conn.info.server_version < since:
        with pytest.raises(psycopg.errors.SyntaxError):
            subscribe(publisher, conn, subscription, options)
        return
    subscribe(publisher, conn, subscription, options)
    with source.transaction():
        source.execute("insert into item select i, repeat('x', 50) from generate_series(1, 4000) as i")
        source.execute("savepoint a; update item set v = 'taken back'; rollback to a")
        source.execute("update item set v = 'y' where id <= 1000; delete from item where id > 3000")
    with source.transaction(force_rollback=True):
        source.execute("delete from item")
    source.execute("begin; insert into item values (5000, 'prepared'); prepare transaction 'kept'")
    source.execute("begin; insert into item values (5001, 'prepared'); prepare transaction 'given up'")
    source.execute("rollback prepared 'given up'")
    source.execute("commit prepared 'kept'")
    arrive(source)
    if "streaming" in options:
        wait(source, "select stream_txns > 0 from pg_stat_replication_slots where slot_name = %s", subscription)
    assert counted(conn, "public.item") == {"CREATE": 4001, "UPDATE": 1000, "DELETE": 1000}
    assert replay(conn, "public.item") == rows(conn, "public.item") == rows(source, "public.item")
    assert conn.execute(WRITERS).fetchall() == [("postgres", "database", None, "postgres")]


def test_what_arrives_is_recorded_under_the_owner_of_the_subscription(
    publisher: EmbeddedServer,
    source: psycopg.Connection,
    subscription: str,
    db: str,
    conn: psycopg.Connection,
    login: MakeLogin,
) -> None:
    source.execute(f"{ITEM}; insert into item values (1, 'one'); create publication outgoing for table item")
    keeper, feeder = login("keeper", dsn=db), login("feeder", dsn=db, attributes="superuser")
    conn.execute(ITEM)
    conn.execute(sql.SQL("alter table item owner to {}").format(sql.Identifier(keeper.name)))
    audit(db, "item")
    with connect(feeder.dsn) as session:
        subscribe(publisher, session, subscription)
    source.execute("insert into item values (2, 'two'); update item set v = 'x'; delete from item; truncate item")
    arrive(source)
    assert counted(conn, "public.item") == {"CREATE": 2, "UPDATE": 2, "DELETE": 2, "TRUNCATE": 1}
    assert conn.execute(WRITERS).fetchall() == [(feeder.name, "database", None, feeder.name)]


def test_partitions_of_a_subscriber_are_captured_under_the_whole(
    publisher: EmbeddedServer, source: psycopg.Connection, subscription: str, db: str, conn: psycopg.Connection
) -> None:
    source.execute("create table sale (id int, shop text, n int, primary key (id, shop))")
    source.execute("insert into sale values (1, 'a', 1); create publication outgoing for table sale")
    conn.execute(SALE)
    audit(db, "sale")
    subscribe(publisher, conn, subscription)
    source.execute("""
        insert into sale values (2, 'b', 2);
        update sale set n = 3 where id = 2;
        update sale set shop = 'b' where id = 1;
        delete from sale where id = 2;
        truncate sale
    """)
    arrive(source)
    a, b = "public.sale_a", "public.sale_b"
    assert changes(conn, "public.sale") == [
        ("CREATE", '[1, "a"]', None, {"id": 1, "shop": "a", "n": 1}, a),
        ("CREATE", '[2, "b"]', None, {"id": 2, "shop": "b", "n": 2}, b),
        ("UPDATE", '[2, "b"]', {"n": 2}, {"n": 3}, b),
        ("DELETE", '[1, "a"]', {"id": 1, "shop": "a", "n": 1}, None, a),
        ("CREATE", '[1, "b"]', None, {"id": 1, "shop": "b", "n": 1}, b),
        ("DELETE", '[2, "b"]', {"id": 2, "shop": "b", "n": 3}, None, b),
        ("TRUNCATE", None, None, None, None),
        ("TRUNCATE", None, None, None, a),
        ("TRUNCATE", None, None, None, b),
    ]
    assert rows(conn, "public.sale") == []


def test_a_change_that_cannot_be_applied_is_recorded_only_when_it_is(
    publisher: EmbeddedServer, source: psycopg.Connection, subscription: str, db: str, conn: psycopg.Connection
) -> None:
    source.execute(f"{ITEM}; create publication outgoing for table item")
    conn.execute(ITEM)
    audit(db, "item")
    subscribe(publisher, conn, subscription)
    conn.execute("insert into item values (2, 'in the way')")
    with source.transaction():
        source.execute("insert into item values (1, 'one'), (2, 'two')")
    worker = "select pid from pg_stat_subscription where subname = 'incoming' and pid is not null"
    wait(conn, f"select not exists ({worker})")
    conn.execute("delete from item where id = 2")
    arrive(source)
    assert changes(conn, "public.item") == [
        ("CREATE", "2", None, {"id": 2, "v": "in the way"}, None),
        ("DELETE", "2", {"id": 2, "v": "in the way"}, None, None),
        ("CREATE", "1", None, {"id": 1, "v": "one"}, None),
        ("CREATE", "2", None, {"id": 2, "v": "two"}, None),
    ]
    assert replay(conn, "public.item") == rows(conn, "public.item")
