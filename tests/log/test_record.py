"""`auditctl record` and auditctl.record_event: business events are in the log, the filters and exports as any other."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import apply
from tests.support.recorded import documents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin


@pytest.fixture
def web(login: MakeLogin) -> Login:
    """The login of an application."""
    return login("web", roles=["auditctl_app"])


def newest(conn: psycopg.Connection) -> dict[str, Any]:
    """The newest event, whole."""
    row = conn.execute(
        "select to_jsonb(e) - array['event_id', 'occurred_at', 'xact_id'] "
        "from auditctl.event as e order by event_id desc limit 1"
    ).fetchone()
    assert row is not None
    return dict(row[0])


def count(conn: psycopg.Connection) -> Any:
    return conn.execute("select count(*) from auditctl.event").fetchone()


def test_an_application_records_who_did_what_and_is_told_the_number(
    conn: psycopg.Connection, web: Login, auditctl: RunAuditctl
) -> None:
    done = auditctl(
        "record", "billing.plan_change", "17", "moved from free to pro", "--data", '{"seats": 1.10}',
        "--actor", "alice", "--ip", "203.0.113.7", dsn=web.dsn, check=0,
    )  # fmt: skip
    assert done.err == ""
    data = "select new_values::text from auditctl.event where event_id = %s"
    assert conn.execute(data, [int(done.out)]).fetchone() == ('{"seats": 1.10}',)
    assert newest(conn) == {
        "actor": "alice", "actor_kind": "application", "ip": "203.0.113.7", "db_user": web.name,
        "target": "billing.plan_change", "target_id": "17", "action": "EVENT", "old_values": None,
        "new_values": {"seats": 1.1}, "context": {"application_name": "auditctl", "summary": "moved from free to pro"},
    }  # fmt: skip


def test_a_read_is_recorded_without_a_summary_and_an_event_without_an_object(
    conn: psycopg.Connection, web: Login, auditctl: RunAuditctl
) -> None:
    auditctl("record", "billing.customer", "7", "--action", "read", "--actor", "alice", dsn=web.dsn, check=0)
    read = newest(conn)
    auditctl("record", "nightly", "", "done", dsn=web.dsn, check=0)
    assert newest(conn) == {
        "actor": None, "actor_kind": "system", "ip": None, "db_user": web.name, "target": "nightly",
        "target_id": None, "action": "EVENT", "old_values": None, "new_values": None,
        "context": {"application_name": "auditctl", "summary": "done"},
    }  # fmt: skip
    assert read == newest(conn) | {
        "actor": "alice", "actor_kind": "application", "target": "billing.customer", "target_id": "7",
        "action": "READ", "context": {"application_name": "auditctl"},
    }  # fmt: skip


def test_whoever_is_no_application_is_recorded_as_itself_and_told_so(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    admin = login("admin", roles=["auditctl_admin"])
    done = auditctl("record", "auth.login", "", "in", "--actor", "alice", dsn=admin.dsn, check=0)
    assert int(done.out) > 0
    assert done.err == (
        f"warning: --actor and --ip are only claims of {admin.name}, which is not an application: the event names "
        f"{admin.name} as its user. If it is one: auditctl grant app {admin.name}\n"
    )
    event = newest(conn)
    assert (event["actor"], event["actor_kind"], event["context"]["claimed_actor"]) == (admin.name, "database", "alice")
    assert auditctl("record", "auth.login", "", "in", dsn=admin.dsn, check=0).err == ""
    superuser = auditctl("record", "auth.login", "", "in", "--ip", "203.0.113.7", check=0)
    assert superuser.err.startswith("warning: --actor and --ip are only claims of postgres")
    assert newest(conn)["context"]["claimed_ip"] == "203.0.113.7"


@pytest.mark.parametrize("role", ["auditctl_reader", None])
def test_whoever_may_not_record_is_refused_with_what_to_ask_for(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl, role: str | None
) -> None:
    carol = login("carol", roles=[role] if role else [])
    before = count(conn)
    done = auditctl("record", "x", "1", "done", dsn=carol.dsn, check=5)
    assert (done.out, done.err.splitlines()) == (
        "",
        [
            "error: permission denied for function record_event",
            f"hint: Ask the DBA for: auditctl grant app {carol.name}",
        ],
    )
    assert count(conn) == before


def test_a_type_that_is_switched_off_prints_no_number(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    apply(db, 'table = []\n[[event]]\nname = "telemetry.*"\nenabled = false')
    before = count(conn)
    done = auditctl("record", "telemetry.ping", "1", "seen", check=0)
    assert (done.out, done.err) == ("", "Events of telemetry.ping are switched off: nothing was recorded.\n")
    assert count(conn) == before


def test_data_comes_from_a_file_or_from_standard_input(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    (tmp_path / "data.json").write_text('\ufeff{"a": [1, "é"]}')
    auditctl("record", "x", "1", "done", "--data", "@data.json", check=0)
    assert newest(conn)["new_values"] == {"a": [1, "é"]}
    auditctl("record", "x", "1", "done", "--data", "-", input="[]\n", check=0)
    assert newest(conn)["new_values"] == []


JSON_HINT = 'Write JSON such as \'{"channel": "mail"}\'; text goes in double quotes.'
STORABLE = "JSONB holds no \\u0000, no half of a character, and no number of unlimited length."


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["", "1", "done"], "the target is empty", "Name what the event is about, for example billing.invoice."),
        (["x", "1"], "the event has no summary", "Add one: a sentence of what happened."),
        (["x", "1", ""], "the summary is empty", ""),
        (["x", "1", "s", "--actor", ""], "the actor is empty", ""),
        (["x", "1", "s", "--ip", "here"], "'here' is not an address", "Write 203.0.113.7 or 2001:db8::7."),
        (["x", "1", "s", "--ip", "10.0.0.0/8"], "'10.0.0.0/8' is not an address", "Write 203.0.113.7 or 2001:db8::7."),
        (
            ["auditctl.role", "1", "granted"],
            "record cannot record events of target auditctl.role: it is reserved for auditctl",
            "Choose a target outside auditctl.",
        ),
        (
            ["x" * 501, "1", "s"],
            "record needs a target of 1 to 500 bytes",
            "Name what the event is about, for example billing.invoice.",
        ),
        (
            ["x\u200b", "1", "s"],
            'record needs a target without invisible characters or surrounding spaces: "x\\u200b"',
            "Leave out control and format characters, and spaces at the start and end.",
        ),
        (
            ["x", "k" * 10241, "s"],
            "record takes a target_id of at most 10 kB",
            "Pass the key that identifies the object.",
        ),
        (
            ["x", "1", "s", "--data", "{channel: 1}"],
            "--data is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)",
            JSON_HINT,
        ),
        (["x", "1", "s", "--data", ""], "--data is not JSON: Expecting value (line 1, column 1)", JSON_HINT),
        (["x", "1", "s", "--data", "[NaN]"], "--data is not JSON: NaN is not a number in JSON", JSON_HINT),
        (["x", "1", "s", "--data", "[" * 90000], "--data is not JSON: it is nested too deep", JSON_HINT),
        (
            ["x", "1", "s", "--data", '"\\u0000"'],
            "the data cannot be stored: unsupported Unicode escape sequence",
            STORABLE,
        ),
        (
            ["x", "1", "s", "--data", "1e999999"],
            "the data cannot be stored: value overflows numeric format",
            STORABLE,
        ),
        (
            ["x", "1", "s", "--data", "@missing.json"],
            "cannot read missing.json: No such file or directory",
            "Give @FILE with JSON in it, or - for stdin.",
        ),
        (
            ["x", "1", "s", "--data", "@latin.json"],
            "cannot read latin.json: it is not UTF-8 text",
            "Give @FILE with JSON in it, or - for stdin.",
        ),
        (
            ["x", "1", "s", "--data", "@large.json"],
            "large.json is larger than 1 MB",
            "Record where the data can be found, or a digest of it.",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_cannot_be_recorded_is_refused_with_a_hint_and_leaves_nothing(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path, arguments: list[str], error: str, hint: str
) -> None:
    (tmp_path / "latin.json").write_bytes('"ß"'.encode("latin-1"))
    (tmp_path / "large.json").write_text(f'"{"é" * 600_000}"')
    before = count(conn)
    done = auditctl("record", *arguments, check=2)
    assert done.out == ""
    assert done.err.splitlines() == [f"error: {error}", *([f"hint: {hint}"] if hint else [])]
    assert count(conn) == before


def test_business_events_are_read_filtered_and_exported_as_any_other(
    conn: psycopg.Connection, web: Login, auditctl: RunAuditctl
) -> None:
    with connect(web.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', '203.0.113.7', '{\"request_id\": \"r1\"}')")
        session.execute("select auditctl.record_event('billing.report', '12', 'report sent', '{\"pages\": 3}')")
        session.execute("select auditctl.record_event('billing.report', '12', 'shown to alice', null, 'READ')")
        session.execute("select auditctl.record_event('billing.report', '13', null, null, 'READ')")
        session.execute("select auditctl.record_event('billing.report', '13')")

    def found(*filters: str) -> list[Any]:
        out = auditctl("log", *filters, "--format", "jsonl", check=0).out
        return [(event["action"], event["target_id"], event["details"]) for event in documents(out)]

    sent, shown = ("EVENT", "12", "report sent"), ("READ", "12", "shown to alice")
    bare_read, bare_event = ("READ", "13", "read"), ("EVENT", "13", "recorded")
    assert found("--target", "billing.report") == [bare_event, bare_read, shown, sent]
    assert found("--target", "report", "--action", "read") == [bare_read, shown]
    assert found("--action", "event", "--id", "12") == [sent]
    assert found("--user", "alice", "--ip", "203.0.113.0/24", "--context", "request_id=r1", "--id", "12") == [
        shown,
        sent,
    ]
    life = documents(auditctl("history", "billing.report", "12", "--format", "jsonl", check=0).out)
    assert [event["details"] for event in life] == ["report sent", "shown to alice"]
    exported = list(csv.DictReader(io.StringIO(auditctl("export", "--target", "billing.*", check=0).out)))
    assert [(row["action"], row["target_id"], row["details"]) for row in exported] == [
        sent,
        shown,
        bare_read,
        bare_event,
    ]
    assert exported[0]["new_values"] == '{"pages": 3}'
    assert "report sent" in auditctl("show", exported[0]["event_id"], check=0).out


def test_events_lists_what_is_stated_and_what_was_recorded(
    db: str, conn: psycopg.Connection, web: Login, auditctl: RunAuditctl
) -> None:
    assert auditctl("events", check=0).err == (
        "No business event was recorded or configured yet. Next: auditctl record TARGET ID SUMMARY\n"
    )
    conn.execute("create table note (id int primary key)")
    with connect(web.dsn) as session:
        for name in ("signup", "telemetry.ping", "auth.login"):
            session.execute("select auditctl.record_event(%s)", [name])
    apply(
        db,
        '[[table]]\nname = "note"\n[[event]]\nname = "auth.login"\nlabel = "Login"\n'
        '[[event]]\nname = "telemetry.*"\nenabled = false',
    )
    conn.execute("insert into note values (1)")
    lines = [line.split() for line in auditctl("events", check=0).out.splitlines()]
    assert lines == [
        ["Event", "Label", "State", "Stated", "as", "Set", "by"],
        ["auditctl.lookup", "on"],
        ["auditctl.session", "on"],
        ["auth.login", "Login", "on", "auth.login", "postgres"],
        ["signup", "on"],
        ["telemetry.*", "off", "telemetry.*", "postgres"],
        ["telemetry.ping", "off", "telemetry.*", "postgres"],
    ]
    *_, signup, _, ping = json.loads(auditctl("events", "--format", "json", check=0).out)
    assert signup == {
        "event": "signup", "label": None, "state": "on", "stated_as": None, "set_by": None, "set_at": None,
    }  # fmt: skip
    assert ping | {"set_at": None} == signup | {
        "event": "telemetry.ping", "state": "off", "stated_as": "telemetry.*", "set_by": "postgres",
    }  # fmt: skip
