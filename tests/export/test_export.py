"""`auditctl export`: the log as CSV and JSON Lines."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import session_settings
from auditctl.log.filters import FILTERS
from auditctl.log.formats import EXPORTS
from tests.support.recorded import HEADER, Recorded, documents, ids, label, minutes, own_events, record

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

HOSTILE = [
    Recorded(at=minutes(0), target_id="=1+1", actor="-x"),
    Recorded(at=minutes(1), target_id='a,"b"', actor="two\nlines\r\nand \\. \x01 \x02"),
    Recorded(at=minutes(2), target_id="", ip=None, context='{"k": "v\\n\\u0001"}'),
    Recorded(at=minutes(3), target_id="\\.", new='{"n": 1.10, "t": "→ 名"}', action="CREATE", old=None),
    Recorded(at=minutes(4), target_id=None, action="TRUNCATE", old=None, new=None, actor=None, kind="system"),
]


def test_export_is_csv_oldest_first(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    one, two = record(conn, Recorded(at=minutes(0)), Recorded(at=minutes(1)))
    result = auditctl("export", "--target", "customer", check=0)
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert result.out.splitlines()[0] == HEADER
    assert [row["event_id"] for row in rows] == [str(one), str(two)]
    assert result.err == f"Exported 2 events, {len(result.out.encode()):,} bytes.\n"


def test_order_and_json_lines(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    one, two = record(conn, Recorded(at=minutes(0)), Recorded(at=minutes(1)))
    out = auditctl("export", "--target", "customer", "--format", "jsonl", "--order", "desc", check=0).out
    assert ids(out) == [two, one]


@pytest.mark.parametrize("form", [row.name for row in EXPORTS])
@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_log_and_export_give_the_same_bytes(
    auditctl: RunAuditctl, conn: psycopg.Connection, form: str, raw: list[str]
) -> None:
    record(conn, *HOSTILE)
    label(conn, "billing.customer", "@Customer")
    arguments = ["--target", "@Customer", "--format", form, *raw]
    exported = auditctl("export", "--order", "desc", *arguments, check=0).out
    assert exported == auditctl("log", *arguments, check=0).out
    assert exported.count("\n") >= len(HOSTILE)


def test_hostile_values_survive_both_formats(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, *HOSTILE)
    raw = auditctl("export", "--target", "customer", "--raw", check=0).out
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    lines = documents(auditctl("export", "--target", "customer", "--format", "jsonl", check=0).out)
    keys = [event.target_id for event in HOSTILE]
    users = [event.actor or "System" for event in HOSTILE]
    assert [row["target_id"] for row in rows] == [key or "" for key in keys]
    assert [row["user"] for row in rows] == users
    assert [line["target_id"] for line in lines] == keys
    assert [line["user"] for line in lines] == users


def test_export_without_events_has_a_header_alone(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    result = auditctl("export", "--user", "nobody", check=0)
    assert result.out == HEADER + "\n"
    assert result.err.startswith("Exported 0 events")


def test_export_is_recorded_and_not_in_itself(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    first = auditctl("export", "--format", "jsonl", "--user", "alice", "--action", "update", check=0)
    second = auditctl("export", "--format", "jsonl", "--raw", "--order", "desc", check=0)
    assert own_events(conn) == [
        {"format": "jsonl", "order": "asc", "filters": {"user": "alice", "action": ["update"]}, "raw": False},
        {"format": "jsonl", "order": "desc", "filters": {}, "raw": True},
    ]
    assert "auditctl.export" not in first.out
    assert [line["target"] for line in documents(second.out)].count("auditctl.export") == 2  # its beginning and its end


def test_misunderstood_export_is_not_recorded(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    auditctl("export", "--target", "nothing", check=2)
    assert own_events(conn) == []


def test_read_only_server_exports_with_a_warning(
    auditctl: RunAuditctl, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = record(conn, Recorded())
    monkeypatch.setitem(session_settings.SETTINGS, "default_transaction_read_only", "on")
    result = auditctl("export", "--target", "customer", "--format", "jsonl", check=0)
    assert ids(result.out) == recorded
    assert result.err.startswith("warning: the server is read-only")
    assert own_events(conn) == []


def test_session_that_prefers_to_be_read_only_is_recorded(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection
) -> None:
    auditctl("export", dsn=f"{db} options='-c default_transaction_read_only=on'", check=0)
    assert len(own_events(conn)) == 1


def test_events_of_a_later_transaction_wait_for_the_next_export(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection
) -> None:
    record(conn, Recorded())
    with psycopg.connect(db) as writer:
        record(writer, Recorded(target_id="uncommitted"))
        assert "uncommitted" not in auditctl("export", check=0).out
        writer.commit()
    assert "uncommitted" in auditctl("export", check=0).out


def test_reader_of_the_log_may_export_and_is_named(
    auditctl: RunAuditctl, conn: psycopg.Connection, login: MakeLogin
) -> None:
    record(conn, Recorded())
    auditor = login("auditor", roles=["auditctl_reader"])
    auditctl("export", dsn=auditor.dsn, check=0)
    query = (
        "select actor, db_user, action::text, context ->> 'summary' from auditctl.event where target = "
        "'auditctl.export' order by event_id"
    )
    assert conn.execute(query).fetchall() == [
        (auditor.name, auditor.name, "EVENT", summary) for summary in ("log exported", "export complete")
    ]


def test_export_of_every_filter_equals_the_log(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    context = '{"request_id": "4f2a", "reason": "see ticket 4711"}'
    record(conn, Recorded(context=context), Recorded(at=minutes(1), actor="bob"), Recorded(target="x.y"))
    filters = [f"--{row.name}={row.example}" for row in FILTERS]
    exported = auditctl("export", "--format", "jsonl", *filters, check=0).out
    assert exported == auditctl("log", "--format", "jsonl", *filters, check=0).out
    assert len(exported.splitlines()) == 1
    (own,) = own_events(conn)
    assert own["filters"].keys() == {row.name for row in FILTERS}
