"""Verification finds each change of sealed events, and nothing in a log that is as it was sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import sealing
from tests.support.verifying import Log, fill, sealed_log

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

log = sealed_log

MAY_BE_UNNAMED = "one byte tells the column: in one event of 256 it is the same by chance, and the column is not named"

ALTERATIONS = {
    "event_id": "event_id + 100000",
    "occurred_at": "occurred_at - interval '1 second'",
    "xact_id": "(xact_id::text::bigint + 1)::text::xid8",
    "actor_kind": "'application'",
    "action": "'DELETE'",
    "actor": "'mallory'",
    "ip": "'203.0.113.9'",
    "db_user": "'mallory'",
    "target": "'public.other'",
    "target_id": "'4711'",
    "old_values": "'{}'",
    "new_values": "'{\"id\": 3.0}'",
    "context": '\'{"reason": "x"}\'',
}


def test_a_log_as_it_was_sealed_verifies_and_says_what_is_not_sealed(
    db: str, conn: psycopg.Connection[Any], tmp_path: Path, auditctl: RunAuditctl
) -> None:
    fill(db)
    missing = auditctl("verify", check=6)
    assert "the log is not sealed" in missing.err
    assert "auditctl keygen" in missing.err
    keys = sealing.make_keys(tmp_path)
    conn.execute("insert into item select n, 'v' from generate_series(1, 20) as n")
    sealing.seal(db, keys)
    conn.execute("update item set v = 'w'")
    log = Log(db, keys, conn, auditctl)
    document = log.verify(check=0)
    assert (document["unsealed"], document["findings"]) == (20, [])
    assert document["signed_by"] == [keys.keys.verifiers[0].label]
    log.seal()
    outputs = set()
    for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns"):
        outputs.add(auditctl("verify", "--key", f"{keys.keys.path}.pub", env={"PGTZ": zone}, check=0).out)
    assert len(outputs) == 1


def test_each_column_of_an_event_that_is_altered_is_found_and_named(log: Log) -> None:
    log.conn.execute("alter table auditctl.event alter event_id drop identity")
    numbers = {log.event(2 + place): column for place, column in enumerate([*ALTERATIONS] * 2)}
    for number, column in numbers.items():
        value = ALTERATIONS[column]
        log.conn.execute(f"update auditctl.event set {column} = {value} where event_id = {number}".encode())
    document = log.verify()
    found = {f["event_id"]: (f["kind"], f["column"]) for f in document["findings"] if f["event_id"]}
    assert set(found) == set(numbers), MAY_BE_UNNAMED
    assert {(number, kind, column or numbers[number]) for number, (kind, column) in found.items()} == {
        (number, "altered", column) for number, column in numbers.items()
    }
    assert {column for _, column in found.values()} - {None} == set(ALTERATIONS)
    switched_off = [f["sentence"] for f in document["findings"] if f["kind"] == "capture"]
    assert any("event_write_once_row" in sentence for sentence in switched_off)


def test_an_event_that_was_deleted_is_named_wherever_it_was(log: Log) -> None:
    places = {0: 1, 5: 1, 19: 1, 20: 2, 21: 3, 24: 3, 30: 3}
    numbers = {log.event(place): block for place, block in places.items()}
    log.conn.execute("delete from auditctl.event where event_id = any (%s)", [list(numbers)])
    assert sorted(log.found()) == [("missing", number, None, block) for number, block in sorted(numbers.items())]


def test_consecutive_events_that_were_deleted_are_one_finding(log: Log) -> None:
    first, last = log.event(3), log.event(9)
    log.conn.execute("delete from auditctl.event where event_id between %s and %s", [first, last])
    (finding,) = [f for f in log.verify()["findings"] if f["kind"] != "capture"]
    assert finding["sentence"].startswith(f"events {first} to {last} (7 events) are missing from block 1")


def test_a_back_dated_event_is_found(log: Log) -> None:
    others = "occurred_at, xact_id, actor_kind, action, actor, ip, db_user, target, target_id, old_values, new_values"
    log.conn.execute(
        f"insert into auditctl.event (event_id, {others}) overriding system value "
        f"select event_id + 1000000, {others} from auditctl.event where event_id = {log.event(5)}".encode()
    )
    assert log.found() == [("added", log.event(5) + 1000000, None, 1)]


def test_an_event_of_a_transaction_that_has_not_begun_is_found(log: Log) -> None:
    log.conn.execute("update auditctl.event set xact_id = '999999999999' where event_id = %s", [log.event(5)])
    assert {kind for kind, *_ in log.found()} == {"altered", "added"}


def test_two_events_that_were_swapped_are_found(log: Log) -> None:
    first, second = log.event(4), log.event(8)
    log.conn.execute(
        "update auditctl.event as e set new_values = o.new_values from auditctl.event as o "
        "where (e.event_id, o.event_id) in ((%s, %s), (%s, %s))",
        [first, second, second, first],
    )
    found = log.found()
    assert [(kind, event, block) for kind, event, _, block in found] == [("altered", n, 1) for n in (first, second)]
    assert {column for _, _, column, _ in found} <= {"new_values", None}, MAY_BE_UNNAMED
