"""Holds on single objects: they keep what people meant, whatever the spelling, and say how much that is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit
from tests.support.retaining import LONG_AGO, fill, hold, keep, upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

EVENTS = "select target, target_id from auditctl.event where target !~ '^auditctl' order by 1, 2"
MOVED = (
    "insert into auditctl.event (occurred_at, actor, actor_kind, target, target_id, action) "
    "values ('2020-01-10', 'alice', 'application', %s, %s, 'CREATE')"
)


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create table price (plan text, currency char(3), primary key (plan, currency))")
        conn.execute("create table item (id integer primary key)")
        audit(dsn, "price", "item")
        conn.execute("select auditctl_internal.create_partition('2020-01-01')")
        for target, key in (
            ("public.price", '["pro", "EUR"]'), ("public.price", '["pro", "USD"]'),
            ("public.item", "7"), ("public.item", "8"), ("shop.door", "north"), ("shop.door", '["a", 1]'),
        ):  # fmt: skip
            conn.execute(MOVED, [target, key])


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database whose log has old events of a key of two columns, of a number, and of a target without a table."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.mark.parametrize(
    ("target", "key", "kept"),
    [
        ("public.price", '["pro","EUR"]', ("public.price", '["pro", "EUR"]')),
        ("public.*", '["pro","EUR"]', ("public.price", '["pro", "EUR"]')),
        ("public.item", "007", ("public.item", "7")),
        ("*", "007", ("public.item", "7")),
        ("shop.door", '["a",1]', ("shop.door", '["a", 1]')),
    ],
)
def test_upkeep_keeps_what_a_hold_in_any_spelling_means(
    conn: psycopg.Connection, db: str, target: str, key: str, kept: tuple[str, str]
) -> None:
    hold(conn, target, key)
    keep(conn, "*", "100 days")
    upkeep(db)
    assert conn.execute(EVENTS).fetchall() == [kept]


def test_a_hold_stored_in_another_spelling_keeps_what_it_was_meant_to(conn: psycopg.Connection, db: str) -> None:
    conn.execute("insert into auditctl.hold (target, target_id, reason) values ('public.item', ' 007', 'case 7')")
    keep(conn, "*", "100 days")
    conn.execute(LONG_AGO)
    upkeep(db)
    assert conn.execute(EVENTS).fetchall() == [("public.item", "7")]


def test_a_hold_is_stored_as_capture_writes_the_key(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    placed = auditctl("hold", "add", "price", "--id", '["pro","EUR"]', "--reason", "case 7", check=0)
    assert placed.err == "Placed hold 1: it keeps 1 event now.\n"
    assert auditctl("hold", "add", "item", "--id", "007", "--reason", "x", check=0).err.endswith("keeps 1 event now.\n")
    assert auditctl("hold", "add", "item", "--reason", "x", check=0).err.endswith("keeps 2 events now.\n")
    assert conn.execute("select target_id from auditctl.hold order by hold_id").fetchall() == [
        ('["pro", "EUR"]',), ("7",), (None,),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["item", "--id", "9"], "the log has no events of public.item with the key '9'", "add --yes"),
        (["price", "--id", '["PRO","EUR"]'], "the log has no events of public.price", """the key '["pro", "EUR"]'?"""),
        (["shop.door", "--id", "North"], "the log has no events of shop.door", "the key 'north'?"),
        (["shop.door", "--id", ""], "the log has no events of shop.door", "add --yes"),
    ],
)
def test_a_hold_that_would_keep_nothing_is_refused_without_a_terminal(
    auditctl: RunAuditctl, conn: psycopg.Connection, words: list[str], message: str, hint: str
) -> None:
    refused = auditctl("hold", "add", *words, "--reason", "x", check=4)
    assert refused.err.startswith(f"error: {message}")
    assert hint in refused.err.splitlines()[1]
    assert conn.execute("select count(*) from auditctl.hold").fetchone() == (0,)
    placed = auditctl("hold", "add", *words, "--reason", "x", "--yes", check=0)
    assert placed.err == "Placed hold 1: it keeps 0 events now.\n"


@pytest.mark.parametrize(("answer", "holds"), [(b"y\n", 1), (b"n\n", 0), (b"\x04", 0)])
def test_a_hold_that_would_keep_nothing_asks_on_a_terminal(
    conn: psycopg.Connection, db: str, answer: bytes, holds: int
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "auditctl", "--dsn", db, "hold", "add", "item", "--id", "9", "--reason", "x"]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    os.write(ours, answer)
    _, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0, err
    assert err.startswith(
        b"warning: the log has no events of public.item with the key '9': a hold would keep nothing yet.\n"
    )
    assert conn.execute("select count(*) from auditctl.hold").fetchone() == (holds,)


def test_a_text_that_cannot_be_a_key_is_a_mistake_with_a_hint(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    for words in (
        ["log", "--target", "item", "--id", "x"], ["history", "item", "x"],
        ["hold", "add", "item", "--id", "x", "--reason", "y"], ["export", "--target", "item", "--id", "x"],
    ):  # fmt: skip
        assert auditctl(*words, check=2).err.splitlines()[:2] == [
            """error: 'x' is not a key of public.item: invalid input syntax for type integer: "x\"""",
            "hint: Its key is id integer.",
        ]
    for key in ("pro", '["pro"]', '["pro", "EUR", 1]', '{"plan": "pro"}'):
        refused = auditctl("history", "price", key, check=2).err.splitlines()
        assert refused[1] == "hint: Its key is a JSON array of plan text, currency character(3)."
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="is not a key of public"):
        conn.execute("select auditctl.place_hold('public.item', 'x', 'case 7')")


def test_a_key_of_a_former_type_stays_findable(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    conn.execute("alter table item alter id type text")
    conn.execute("insert into item values ('x'), ('007')")
    conn.execute("delete from item")
    conn.execute("alter table item alter id type uuid using gen_random_uuid()")
    for key in ("x", "007", "7"):
        assert auditctl("history", "item", key, "--format", "jsonl", check=0).out.count("\n") >= 1
        assert auditctl("log", "--target", "item", "--id", key, "--format", "jsonl", check=0).out.count("\n") >= 1
        assert hold(conn, "public.item", key) > 0
    assert "is not a key of public.item" in auditctl("log", "--target", "item", "--id", "8x", check=2).err


def test_a_key_is_read_by_the_last_types_of_a_table_that_is_gone(
    auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    conn.execute("insert into item values (7)")
    auditctl("disable", "item", check=0)
    conn.execute("drop table item")
    assert auditctl("log", "--target", "item", "--id", "007", "--format", "jsonl", check=0).out.count("\n") == 2


def test_a_search_that_finds_nothing_names_keys_like_it(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    fill(conn, "2020-01-10", "shop.Door", 0)
    for key, near in (("NORTH", "'north'"), ('"north"', "'north'"), ("a", """'["a", 1]'""")):
        for words in (["log", "--target", "shop.door", "--id", key], ["history", "shop.door", key]):
            said = auditctl(*words, check=0).err.splitlines()
            assert said[0].startswith("No events")
            assert said[1] == f"hint: Did you mean the key {near}?"
    assert auditctl("log", "--target", "shop.door", "--id", "south", check=0).err == "No events.\n"
    assert auditctl("log", "--target", "shop.door", "--id", "north", "--since", "1h", check=0).err == "No events.\n"
