"""`auditctl log`: pages of the log, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from auditctl.display import harmless
from tests.support.recorded import HEADER, START, Recorded, bulk, documents, ids, label, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

WHOLE = Recorded(
    old='{"status": "active", "balance": 10.00}',
    new='{"status": "closed", "balance": 12.50}',
    context='{"reason": "ticket 4711"}',
)


def test_log_as_csv_has_every_column(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, WHOLE)
    label(conn, "billing.customer", "Customer")
    result = auditctl("log", "--target", "Customer", "--format", "csv", check=0)
    assert result.err == "Nothing of Customer is recorded any more.\n"
    assert result.out == (
        f"{HEADER}\n{event},2026-03-01T12:00:00.123456Z,203.0.113.7,alice,Customer,7,UPDATE,"
        "balance: 10.00 → 12.50; status: active → closed,ticket 4711,"
        '"{""status"": ""active"", ""balance"": 10.00}","{""status"": ""closed"", ""balance"": 12.50}",'
        'web,application,700,"{""reason"": ""ticket 4711""}"\n'
    )


def test_log_as_json_has_the_same_keys_and_exact_numbers(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, WHOLE)
    result = auditctl("log", "--target", "customer", "--format", "json", check=0)
    assert "12.50}" in result.out
    assert json.loads(result.out) == [
        {
            "event_id": event,
            "created_on": "2026-03-01T12:00:00.123456Z",
            "ip_address": "203.0.113.7",
            "user": "alice",
            "target": "billing.customer",
            "target_id": "7",
            "action": "UPDATE",
            "details": "balance: 10.00 → 12.50; status: active → closed",
            "reason": "ticket 4711",
            "old_values": {"status": "active", "balance": 10.0},
            "new_values": {"status": "closed", "balance": 12.5},
            "db_user": "web",
            "actor_kind": "application",
            "xact_id": 700,
            "context": {"reason": "ticket 4711"},
        }
    ]
    assert list(json.loads(result.out)[0]) == HEADER.split(",")


def test_log_as_json_lines_is_the_array_without_its_frame(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, WHOLE, Recorded(actor=None, kind="system", at=minutes(1), ip=None))
    array = auditctl("log", "--target", "customer", "--format", "json", check=0).out
    lines = auditctl("log", "--target", "customer", "--format", "jsonl", check=0).out
    assert documents(lines) == json.loads(array)
    assert [document["user"] for document in documents(lines)] == ["System", "alice"]


def test_log_is_newest_first_and_fifty_events_long(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    recorded = record(conn, *(Recorded(at=minutes(count)) for count in range(51)))
    result = auditctl("log", "--target", "customer", "--format", "jsonl", check=0)
    assert ids(result.out) == recorded[:0:-1]
    assert re.fullmatch(r"More may follow: add --after \S+/\d+\n", result.err)


def test_pages_follow_each_other_without_gap_or_repetition(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    # Three events in each microsecond, so that pages end among equals.
    recorded = record(conn, *(Recorded(at=START + timedelta(microseconds=count // 3)) for count in range(10)))
    seen: list[int] = []
    after: list[str] = []
    for _ in range(3):
        page = auditctl("log", "--target", "customer", "--format", "jsonl", "--limit", "4", *after, check=0)
        seen += ids(page.out)
        after = ["--after", page.err.split()[-1]] if page.err else []
    assert seen == recorded[::-1]
    assert after == []


def test_last_page_names_no_cursor(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded(), Recorded())
    assert auditctl("log", "--target", "customer", "--limit", "2", check=0).err == ""


@pytest.mark.parametrize(("form", "empty"), [("table", ""), ("json", "[]\n"), ("jsonl", ""), ("csv", HEADER + "\n")])
def test_nothing_found_is_an_empty_answer_with_a_message(
    auditctl: RunAuditctl, conn: psycopg.Connection, form: str, empty: str
) -> None:
    record(conn, Recorded())
    result = auditctl("log", "--user", "nobody", "--format", form, check=0)
    assert (result.out, result.err) == (empty, "No events.\nNo table is audited yet.\n")


def test_quiet_prints_data_alone(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded(), Recorded())
    assert auditctl("--quiet", "log", "--limit", "1", check=0).err == ""


def test_table_fits_its_width_and_cuts_values(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(conn, Recorded(actor="a" * 300, target_id="k" * 300, new=json.dumps({"note": "x" * 5000})))
    label(conn, "billing.customer", "名" * 200)
    for width in ("80", "120", "200"):
        result = auditctl("log", "--target", "名*", env={"COLUMNS": width}, check=0)
        head, rule, line = result.out.splitlines()
        assert len(rule) == int(width)
        assert "details" in head
        assert "…" in line
        assert len(line) + line.count("名") <= int(width)
        assert "\x1b" not in result.out


def test_table_of_eighty_columns_shows_what_matters(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded())
    result = auditctl("log", "--target", "customer", env={"COLUMNS": "80"}, check=0)
    line = result.out.splitlines()[2].split()
    assert line[:7] == [str(event), "2026-03-01", "12:00:00", "alice", "UPDATE", "billing.customer", "7"]
    assert line[7] == "balance:"


def test_terminal_escapes_in_values_are_made_harmless(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded(actor="\x1b[2J\x07\r\nroot\u202e\x9b31m", target_id="[bold]7[/]"))
    for command in (["log", "--target", "customer"], ["show", str(event)]):
        out = auditctl(*command, env={"COLUMNS": "200"}, check=0).out
        assert not set(out) & set("\x1b\x07\r\u202e\x9b")
        assert r"\x1b[2J" in out
        assert "[bold]7[/]" in out


def test_harmless_keeps_what_people_read() -> None:
    assert harmless("Zoë 名前 → a\u00a0b 😀") == "Zoë 名前 → a\u00a0b 😀"
    assert harmless("a\tb\x00\u2028\U000e0001") == r"a\tb\x00\u2028\ue0001"


def test_formula_cells_get_an_apostrophe_unless_raw(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    hostile = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]
    harmless_ones = ["'=1", "a=1", " a", "", "1-1", "#x"]
    names = hostile + harmless_ones
    record(conn, *(Recorded(target_id=name, at=minutes(count)) for count, name in enumerate(names)))
    for raw in ([], ["--raw"]):
        out = auditctl("log", "--target", "customer", "--format", "csv", *raw, check=0).out
        cells = [row["target_id"] for row in csv.DictReader(io.StringIO(out, newline=""))]
        expected = names if raw else [f"'{name}" for name in hostile] + harmless_ones
        assert cells[::-1] == expected


def test_every_free_text_cell_is_formula_safe(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    record(
        conn,
        Recorded(
            actor="=u", db_user="-d", target="@t", target_id="+i", action="EVENT",
            old="-1", new="-2", context='{"summary": "=s"}',
        ),
    )  # fmt: skip
    out = auditctl("log", "--target", "@t", "--format", "csv", check=0).out
    (row,) = csv.DictReader(io.StringIO(out))
    shown = {
        name: row[name] for name in ("user", "db_user", "target", "target_id", "old_values", "new_values", "details")
    }
    assert shown == {
        "user": "'=u", "db_user": "'-d", "target": "'@t", "target_id": "'+i",
        "old_values": "'-1", "new_values": "'-2", "details": "'=s",
    }  # fmt: skip


MISUNDERSTOOD = [
    ["--limit", "0"],
    ["--limit", "-1"],
    ["--limit", "many"],
    ["--after", "42"],
    ["--format", "xml"],
    ["--action", "upsert"],
    ["--since", "tomorrow"],
    ["--since", "2026-11-23", "--until", "2026-11-22"],
    ["--target", "billing.nothing"],
    ["--column", "nothing"],
    ["--ip", "1.2.3"],
    ["--xact", "x"],
    ["--context", "x"],
    ["--user", ""],
    ["--ip", "10.0.0.1", "--ip", "10.0.0.2"],
    ["--colour", "x"],
]


def test_usage_errors_exit_2_with_a_message_and_no_data(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    for arguments in MISUNDERSTOOD:
        result = auditctl("log", *arguments, check=2)
        assert result.out == "", arguments
        assert result.err.startswith("error: "), arguments
        assert "Traceback" not in result.err


def test_reader_needs_audit_reader_alone(auditctl: RunAuditctl, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("create table public.customer (balance numeric)")
    label(conn, "public.customer", "Customer")
    recorded = record(conn, Recorded(target="public.customer"))
    auditor = login("auditor", roles=["auditctl_reader"])
    lines = auditctl(
        "log", "--target", "Customer", "--column", "balance", "--format", "jsonl", dsn=auditor.dsn, check=0
    )
    assert ids(lines.out) == recorded
    auditctl("show", str(recorded[0]), dsn=auditor.dsn, check=0)
    assert auditctl("history", "Customer", "7", dsn=auditor.dsn, check=0).out
    assert auditctl("export", "--target", "Customer", dsn=auditor.dsn, check=0).out


def test_login_without_the_role_is_refused(auditctl: RunAuditctl, conn: psycopg.Connection, login: MakeLogin) -> None:
    for command in (["log"], ["show", "1"], ["history", "t", "1"], ["export"]):
        result = auditctl(*command, dsn=login("nobody").dsn, check=5)
        assert result.out == ""
        assert "hint: " in result.err


def test_settings_of_the_session_change_nothing(auditctl: RunAuditctl, db: str, conn: psycopg.Connection) -> None:
    record(conn, WHOLE)
    plain = auditctl("log", "--target", "customer", "--format", "jsonl", "--limit", "1").out
    options = "-c datestyle=german -c timezone=Asia/Kathmandu -c client_encoding=latin1 -c search_path=nowhere"
    dsn = f"{db} options='{options}'"
    assert auditctl("log", "--target", "customer", "--format", "jsonl", "--limit", "1", dsn=dsn, check=0).out == plain
    exported = auditctl("export", "--target", "customer", "--format", "jsonl", dsn=dsn, check=0)
    assert exported.out == plain


def test_many_events_are_read_in_one_go(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    bulk(conn, 3000)
    result = auditctl("log", "--target", "bulk.row", "--limit", "5000", "--format", "jsonl", check=0)
    assert [document["target_id"] for document in documents(result.out)] == [str(n) for n in range(3000, 0, -1)]


def test_reading_loads_neither_alembic_nor_rich() -> None:
    code = (
        "import sys, auditctl.cli.log, auditctl.cli.export; print({'rich', 'alembic', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
