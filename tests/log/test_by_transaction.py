"""The list of transactions: each once, with its selected events counted, whatever upkeep has counted before."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.sql import SQL

from auditctl import database
from auditctl.actions import Action
from auditctl.log import predicates
from auditctl.log.by_transaction import formats, reader, search
from auditctl.log.by_transaction.large import LEAST
from auditctl.log.by_transaction.model import Part, phrase
from auditctl.log.filters import Filters
from tests.fixtures.databases import connect
from tests.log.test_restored_transactions import adopt
from tests.support.recorded import Recorded, bulk, label, minutes, record
from tests.support.retaining import fill, keep, months

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

Rows = list[tuple[int, int, int, int]]


def listed(db: str, texts: dict[str, list[str]], least: int, limit: int = 50) -> Rows:
    """Read all pages; return numbers, counts, and first and last event of the transactions."""
    found: Rows = []
    with database.connect(db) as conn:
        conditions = Filters.parse(texts).resolve(conn).predicates()
        after = None
        while True:
            page = reader.read(conn, conditions, SQL("event_id"), least=least, limit=limit, after=after)
            assert len(page.groups) <= limit
            counts = [group.count for group in page.groups]
            found += [(count.number, count.events, count.first_event_id, count.last_event_id) for count in counts]
            after = page.following
            if after is None:
                return found


def grouped(conn: psycopg.Connection, texts: dict[str, list[str]], least: int) -> Rows:
    """The same in plain SQL, in a log of one cluster."""
    condition = predicates.conjunction(Filters.parse(texts).predicates())
    query = SQL(
        "select xact_id::text::bigint, count(*), min(event_id), max(event_id) from auditctl.activity where {}"
        " group by xact_id having count(*) >= %s order by xact_id desc"
    ).format(condition)
    return conn.execute(query, [least]).fetchall()


def next_number(conn: psycopg.Connection) -> int:
    row = conn.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    assert row is not None
    return int(row[0])


def use_numbers(conn: psycopg.Connection, end: int) -> None:
    """Begin transactions until their numbers reach one, so that those below have ended."""
    while next_number(conn) < end:
        conn.execute("select pg_current_xact_id()")


def interleave(conn: psycopg.Connection, source: random.Random, first: int) -> None:
    """Record transactions of random sizes, whose events lie between each other."""
    numbers = [number for number in range(first, first + 20) for _ in range(source.choice((1, 1, 1, 2, 5, 104)))]
    source.shuffle(numbers)
    made = [
        Recorded(
            at=minutes(position // 50), xact=number, actor=source.choice(("alice", "bob", None)),
            target=source.choice(("shop.a", "shop.b")), action=source.choice(("UPDATE", "DELETE")),
        )
        for position, number in enumerate(numbers)
    ]  # fmt: skip
    with conn.transaction():
        record(conn, *(event if event.actor else _of_system(event) for event in made))


def _of_system(event: Recorded) -> Recorded:
    return replace(event, kind="system")


CHOICES: Sequence[dict[str, list[str]]] = (
    {},
    {"user": ["alice"]},
    {"user": ["System"], "target": ["shop.a"]},
    {"action": ["delete"]},
    {"since": [minutes(10).isoformat()]},
    {"until": [minutes(15).isoformat()], "user": ["bob"]},
    {"since": [minutes(5).isoformat()], "until": [minutes(6).isoformat()]},
    {"xact": ["110"]},
    {"user": ["alice"], "id": ["nothing"]},
)


def test_random_transactions_are_counted_as_plain_sql_counts_them(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(7)
    conn.execute("insert into auditctl.target (target) values ('shop.a'), ('shop.b')")
    first = next_number(conn) + 10
    for counted, gathered in ((False, 5000), (True, 0), (False, 0)):
        interleave(conn, source, first)
        first += 15  # some are continued
        if counted:
            use_numbers(conn, first + 5)
            conn.execute("call auditctl.maintain()")
            first = max(first, next_number(conn))
        monkeypatch.setattr(search, "MAX_GATHERED", gathered)
        monkeypatch.setattr(search, "FIRST_RANGE", source.choice((1, 7, 256)))
        monkeypatch.setattr(search, "BATCH", source.choice((1, 3, 64)))
        for texts in CHOICES:
            for least in (source.choice((1, 2, 5)), source.choice((50, 100, 105))):
                limit = source.choice((2, 5, 50))
                assert listed(db, texts, least, limit) == grouped(conn, texts, least), (texts, least, limit, counted)


def large(conn: psycopg.Connection) -> list[tuple[int, int]]:
    """What upkeep has counted: numbers of transactions and of their events."""
    query = "select xact_id::text::bigint, events from auditctl.large_transaction order by 1, 2"
    return conn.execute(query).fetchall()


def test_upkeep_counts_what_has_ended_and_a_running_transaction_later(conn: psycopg.Connection, db: str) -> None:
    with connect(db) as writer, writer.transaction():
        bulk(writer, 120)
        (number,) = writer.execute("select pg_current_xact_id()::text::bigint").fetchone() or (0,)
        conn.execute("call auditctl.maintain()")
        assert listed(db, {}, 100) == []
    assert large(conn) == []
    assert [row[:2] for row in listed(db, {}, 100)] == [(number, 120)]
    conn.execute("call auditctl.maintain()")
    assert large(conn) == [(number, 120)]
    assert [row[:2] for row in listed(db, {}, 100)] == [(number, 120)]


def test_upkeep_counts_from_the_number_of_events_on_that_lists_take_for_counted(
    conn: psycopg.Connection,
) -> None:
    for events in (LEAST - 1, LEAST):
        bulk(conn, events)
    conn.execute("call auditctl.maintain()")
    assert [events for _, events in large(conn)] == [LEAST]


def test_a_transaction_has_only_the_events_that_retention_left(conn: psycopg.Connection, db: str) -> None:
    months(conn, "2025-01-01", "2025-02-01")
    with conn.transaction():
        fill(conn, "2025-01-10", "old.gone", 150)
        fill(conn, "2025-01-10", "old.kept", 130)
        fill(conn, "2025-02-10", "old.gone", 110)
    with conn.transaction():
        fill(conn, "2025-01-20", "old.gone", 100)
    conn.execute("call auditctl.maintain()")
    assert [events for _, events in large(conn)] == [390, 100]
    keep(conn, "*", "1 day")
    keep(conn, "old.kept", "100 years")
    conn.execute("call auditctl.maintain()")
    assert [events for _, events in large(conn)] == [130]
    assert [row[1] for row in listed(db, {}, 100)] == [130]


def test_transactions_of_several_clusters_are_told_apart(conn: psycopg.Connection, db: str) -> None:
    record(conn, *[Recorded(xact=700)] * 3, Recorded(xact=650), Recorded(xact=900))
    adopt(conn)
    record(conn, *[Recorded(xact=700)] * 2)
    for _ in range(2):
        found = listed(db, {"target": ["billing.customer"]}, 1, limit=1)
        assert [row[:2] for row in found] == [(700, 2), (900, 1), (700, 3), (650, 1)]
        everything = listed(db, {}, 1, limit=2)
        assert [row for row in everything if row in found] == found
        conn.execute("call auditctl.maintain()")


def test_what_upkeep_counted_elsewhere_is_counted_again(conn: psycopg.Connection, db: str) -> None:
    bulk(conn, 120)
    conn.execute("call auditctl.maintain()")
    counted = large(conn)
    conn.execute("update auditctl.transaction_count set system_identifier = 1, counted_before = '9999999'")
    conn.execute("delete from auditctl.large_transaction")
    assert [row[:2] for row in listed(db, {}, 100)] == counted
    conn.execute("call auditctl.maintain()")
    assert large(conn) == counted


def test_the_command_says_what_each_transaction_did(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    label(conn, "billing.invoice", "Invoice")
    label(conn, "billing.note")
    memo = Recorded(target="billing.invoice", new='{"memo": "x"}', actor="nina", xact=800)
    other = replace(memo, target="billing.note", action="DELETE", new=None, context='{"reason": "ticket 7"}')
    record(conn, *[memo] * 3, other, replace(memo, action="TRUNCATE", new=None), Recorded(xact=801))
    first = auditctl("log", "--transactions", "--rows", "2", "--target", "billing.*", check=0)
    line = first.out.splitlines()[1]
    assert line.split()[0] == "800"
    assert line.split(maxsplit=6)[4:] == [
        "nina", "5", "updated 3 Invoices: memo; truncated Invoice; and 1 more event",
    ]  # fmt: skip
    told = json.loads(auditctl("log", "--transactions", "--target", "billing.note", "--format", "json", check=0).out)
    assert [(one["xact_id"], one["events"], one["details"], one["reason"], one["user"]) for one in told] == [
        (800, 1, "deleted 1 row of billing.note", "ticket 7", "nina")
    ]
    lines = auditctl("log", "--transactions", "--user", "nina", "--format", "csv", check=0).out.splitlines()
    assert lines[0] == ",".join(formats.COLUMNS)
    assert lines[1].startswith("800,2026-03-01T12:00:00.123456Z,2026-03-01T12:00:00.123456Z,203.0.113.7,nina,false,")
    refused = auditctl("log", "--transactions", "--format", "ocsf", check=2)
    assert refused.err.startswith("error: --transactions has no format")
    assert auditctl("log", "--rows", "5", check=2).err.startswith("error: --rows needs --transactions")
    refused = auditctl("log", "--transactions", "--wide", check=2)
    assert refused.err.startswith("error: --wide is for events, not for transactions")
    paged = auditctl("log", "--transactions", "--target", "billing.customer", "--limit", "1", check=0)
    assert "801" in paged.out


def test_sentences_name_numbers_of_rows() -> None:
    assert [
        phrase(Part("x", Action.UPDATE, 10_000, ("memo",)), "Invoice"),
        phrase(Part("x", Action.UPDATE, 1, ("a", "b", "c", "d", "e")), "Invoice"),
        phrase(Part("x", Action.CREATE, 2), "Company"),
        phrase(Part("x", Action.DELETE, 2), "Box"),
        phrase(Part("x", Action.DELETE, 2, ("$erased",)), "billing.note"),
        phrase(Part("x", Action.READ, 3), "Invoice"),
        phrase(Part("x", Action.EVENT, 1), "Sign-in"),
        phrase(Part("x", Action.BASELINE, 2), "Day"),
    ] == [
        "updated 10,000 Invoices: memo",
        "updated 1 Invoice: a, b, c and 2 more columns",
        "created 2 Companies",
        "deleted 2 Boxes",
        "deleted 2 rows of billing.note",
        "read Invoice 3 times",
        "recorded Sign-in",
        "found 2 Days",
    ]
