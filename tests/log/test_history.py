"""`auditctl history`: one object's life."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest

from tests.support.recorded import HEADER, Recorded, ids, label, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl


def test_history_is_one_object_oldest_first(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    update, create, _ = record(
        conn,
        Recorded(at=minutes(5)),
        Recorded(at=minutes(1), action="CREATE", old=None),
        Recorded(at=minutes(2), target_id="8"),
    )
    label(conn, "billing.customer", "Customer")
    for name in ("billing.customer", "Customer", "customer"):
        result = auditctl("history", name, "7", "--format", "jsonl", check=0)
        assert ids(result.out) == [create, update]
        assert result.err == ""


def test_history_follows_keys_and_names(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    label(conn, "s.old")
    label(conn, "s.new")
    conn.execute(
        "insert into auditctl.rename (old_target, new_target, renamed_at) values ('s.old', 's.new', %s)", [minutes(10)]
    )
    life = record(
        conn,
        Recorded(target="s.old", target_id="1", action="CREATE", old=None, at=minutes(1)),
        Recorded(target="s.old", target_id="2", context='{"previous_target_id": "1"}', at=minutes(2)),
        Recorded(target="s.new", target_id="2", at=minutes(11)),
        Recorded(target="s.new", target_id="2", action="DELETE", new=None, at=minutes(12)),
    )
    record(conn, Recorded(target="s.new", target_id="3", at=minutes(11)))
    for name, key in (("s.new", "2"), ("s.old", "1"), ("s.new", "1"), ("s.old", "2")):
        assert ids(auditctl("history", name, key, "--format", "jsonl", check=0).out) == life
    newest = auditctl("history", name, key, "--format", "jsonl", "--order", "desc", check=0).out
    assert ids(newest) == life[::-1]


def test_history_of_a_composite_key_takes_any_spelling(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    recorded = record(conn, Recorded(target_id='["pro", 1]'))
    for key in ('["pro", 1]', '["pro",1]'):
        assert ids(auditctl("history", "customer", key, "--format", "jsonl", check=0).out) == recorded


def test_history_in_csv_equals_the_export(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded(at=minutes(1)), Recorded(at=minutes(2), target_id="=8"), Recorded(at=minutes(3)))
    history = auditctl("history", "customer", "7", "--format", "csv", check=0).out
    assert history == auditctl("export", "--target", "customer", "--id", "7").out


def test_object_without_events_is_an_empty_answer(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    result = auditctl("history", "billing.customer", "9", "--format", "csv", check=0)
    assert (result.out, result.err) == (HEADER + "\n", "No events of billing.customer 9.\n")


def test_key_that_starts_with_a_dash(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    recorded = record(conn, Recorded(target_id="-1"))
    assert ids(auditctl("history", "customer", "--format", "jsonl", "--", "-1", check=0).out) == recorded


def test_unknown_or_ambiguous_table_is_a_usage_error(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded(), Recorded(target="billing.invoice"))
    for name, said in (("billing.custmer", "no table"), ("billing.*", "several tables"), ("", "empty")):
        result = auditctl("history", name, "7", check=2)
        assert result.out == ""
        assert said in result.err


RENAMES: tuple[LiteralString, ...] = (
    "alter table crm.queue rename to work_queue",
    "alter table crm.queue rename to q2; alter table crm.q2 rename to work_queue",
    "alter table crm.queue rename to work_queue; alter table crm.work_queue rename to queue; "
    "alter table crm.queue rename to work_queue",
    "create schema other; alter table crm.queue set schema other",
    "alter table crm.queue rename to old; create table crm.queue (id int); alter table crm.old rename to work",
)


@pytest.mark.parametrize("renames", RENAMES)
def test_a_label_names_its_table_through_its_names(
    conn: psycopg.Connection, auditctl: RunAuditctl, renames: LiteralString
) -> None:
    conn.execute("create schema crm; create table crm.queue (id int primary key, v text)")
    auditctl("enable", "crm.queue", "--label", "Queue", check=0)
    conn.execute("insert into crm.queue values (1, 'a')")
    conn.execute(renames)
    present = fetch_name(conn)
    conn.execute(f"update {present} set v = 'b'".encode())
    for name in ("Queue", "queue", present):
        out = auditctl("history", name, "1", "--format", "csv", check=0).out
        assert [line.split(",")[6] for line in out.splitlines()[1:]] == ["CREATE", "UPDATE"]
    auditctl("hold", "add", "Queue", "--id", "1", "--reason", "an inquiry", check=0)


def fetch_name(conn: psycopg.Connection) -> str:
    row = conn.execute("select name from auditctl.rule where label = 'Queue'").fetchone()
    assert row is not None
    return str(row[0])
