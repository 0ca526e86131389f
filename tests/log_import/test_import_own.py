"""Lines that auditctl's own policy wrote: believed by their keyed hash, and imported where the log lacks the event."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.server_log import SIGNED, START, as_csv, as_json, imported, line, read, set_up

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl


db_template = begin_with(set_up)


@pytest.fixture
def log(db: str, conn: psycopg.Connection, tmp_path: Path) -> Path:
    """A log to be written; the tables are audited."""
    return tmp_path / "pg.json"


def own(conn: psycopg.Connection, number: int, **changes: Any) -> dict[str, Any]:
    """A line of the policy: a read of an application's user a moment after the second of that number."""
    at = START + timedelta(seconds=number, microseconds=1234)
    fields = {
        "v": 1,
        "target": "shop.customer",
        "actor": "alice",
        "actor_kind": "application",
        "ip": "203.0.113.7",
        "db_user": "web",
        "xact_id": None,
        "at": at.isoformat(),
        "recorded": False,
        "event_id": None,
        "leaf": None,
        **changes,
    }
    row = conn.execute(SIGNED, [json.dumps(fields)]).fetchone()
    assert row is not None
    message = f"auditctl read: {row[0]}"
    context = "PL/pgSQL function auditctl.record_read(oid) line 9 at RAISE"
    return line(number, message, dbname=conn.info.dbname, context=context, statement="select 1", user="web")


def record(conn: psycopg.Connection) -> dict[str, Any]:
    """Insert the event of a read as the policy would; return what its line says of it."""
    row = conn.execute(
        "insert into auditctl.event (actor, actor_kind, target, action) "
        "values ('alice', 'application', 'shop.customer', 'READ') returning event_id, xact_id::text, occurred_at"
    ).fetchone()
    assert row is not None
    return {"recorded": True, "event_id": row[0], "xact_id": row[1], "at": row[2].astimezone(UTC).isoformat()}


def test_read_that_no_event_could_tell_is_imported(auditctl: RunAuditctl, conn: psycopg.Connection, log: Path) -> None:
    log.write_bytes(as_json([own(conn, 1, leaf="shop.visit_1", target="shop.visit", query="select 1")]))
    auditctl("import-log", log, check=0)
    assert imported(conn) == [
        (
            datetime(2026, 11, 24, 8, 0, 1, 1234, UTC),
            "alice",
            "application",
            "203.0.113.7",
            "web",
            "shop.visit",
            {
                "source": "auditctl",
                "session_id": f"{int(START.timestamp()):x}.10",
                "line": 1,
                "application_name": "psql",
                "imported_from": "pg.json",
                "imported_by": "postgres",
                "leaf": "shop.visit_1",
                "query": "select 1",
            },
        )
    ]


def test_recorded_read_is_not_imported(auditctl: RunAuditctl, conn: psycopg.Connection, log: Path) -> None:
    log.write_bytes(as_json([own(conn, 1, **record(conn))]))
    result = auditctl("import-log", log, check=0)
    assert result.err.splitlines()[1:] == ["  1 already in the log, from auditctl's policy"]
    assert imported(conn) == []


def test_read_that_was_rolled_back_is_imported_as_such(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection, log: Path
) -> None:
    with connect(db) as other:
        with other.transaction(force_rollback=True):
            gone = record(other)
        with other.transaction():
            with other.transaction(force_rollback=True):
                part = record(other)
            record(other)
    log.write_bytes(as_json([own(conn, 1, **gone), own(conn, 2, **part)]))
    auditctl("import-log", log, check=0)
    found = imported(conn)
    assert [row[0] for row in found] == [datetime.fromisoformat(gone["at"]), datetime.fromisoformat(part["at"])]
    assert [(row[-1]["rolled_back"], row[-1]["transaction"]) for row in found] == [
        (True, gone["xact_id"]),
        (True, part["xact_id"]),
    ]


@pytest.mark.parametrize("is_committed", [True, False])
def test_read_of_a_running_transaction_waits_for_its_end(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection, log: Path, *, is_committed: bool
) -> None:
    with connect(db) as other, other.transaction(force_rollback=not is_committed):
        log.write_bytes(as_json([own(conn, 1, **record(other))]))
        for _ in range(2):
            auditctl("import-log", log, check=0)
        assert imported(conn) == []
    log.unlink()
    log.write_bytes(b"")
    auditctl("import-log", log, check=0)
    assert len(imported(conn)) == (0 if is_committed else 1)
    assert conn.execute("select from auditctl.read_line where waiting is not null").fetchall() == []


def test_read_of_a_prepared_transaction_waits_for_its_end(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection, log: Path
) -> None:
    with connect(db) as other:
        other.execute("begin")
        log.write_bytes(as_json([own(conn, 1, **record(other))]))
        other.execute("prepare transaction 'later'")
    auditctl("import-log", log, check=0)
    assert imported(conn) == []
    conn.execute("rollback prepared 'later'")
    auditctl("import-log", log, check=0)
    assert [row[-1]["rolled_back"] for row in imported(conn)] == [True]


def test_line_without_the_right_hash_is_forged(auditctl: RunAuditctl, conn: psycopg.Connection, log: Path) -> None:
    def changed(number: int, old: str, new: str) -> dict[str, Any]:
        genuine = own(conn, number)
        return {**genuine, "message": genuine["message"].replace(old, new)}

    lines = [
        changed(1, "alice", "mallory"),
        changed(2, "}", ""),
        changed(3, '"v": 1', '"v": 2'),
        changed(4, "auditctl read: {", "auditctl read: [{"),
        own(conn, 5),
    ]
    log.write_bytes(as_json(lines))
    result = auditctl("import-log", log, check=3)
    assert "warning: 4 forged lines left out: pg.json:1, pg.json:2, pg.json:3, pg.json:4\n" in result.err
    assert len(imported(conn)) == 1


def test_without_a_key_no_line_is_believed(auditctl: RunAuditctl, conn: psycopg.Connection, log: Path) -> None:
    log.write_bytes(as_json([own(conn, 1)]))
    conn.execute("delete from auditctl.log_key")
    auditctl("import-log", log, check=3)
    assert imported(conn) == []


def test_genuine_line_that_is_written_again_adds_no_read(
    auditctl: RunAuditctl, conn: psycopg.Connection, log: Path
) -> None:
    genuine = own(conn, 1)
    again = {**own(conn, 9), "message": genuine["message"], "user": "mallory"}
    log.write_bytes(as_json([genuine, again]))
    log.with_suffix(".csv").write_bytes(as_csv([genuine, again]))
    auditctl("import-log", log, log.with_suffix(".csv"), check=0)
    assert len(imported(conn)) == 1


def test_read_that_both_tell_of_is_one(auditctl: RunAuditctl, conn: psycopg.Connection, log: Path) -> None:
    conn.execute("update auditctl.capture set actions = actions || '{READ}' where target = 'shop.customer'")
    seen = read(1, dbname=conn.info.dbname)
    told = {**own(conn, 1), "line_num": 2}
    unseen = read(3, dbname=conn.info.dbname)
    other = read(4, "shop.visit", dbname=conn.info.dbname)
    forged = {**own(conn, 3), "line_num": 5, "message": "auditctl read: {}"}
    replayed = {**told, "line_num": 6, "vxid": "3/3"}
    for name, write in ((log, as_json), (log.with_suffix(".csv"), as_csv)):
        name.write_bytes(write([seen, told, unseen, other, forged, replayed]))
    auditctl("import-log", log, log.with_suffix(".csv"), check=3)
    assert [(row[1], row[5], row[-1]["source"], row[-1]["line"]) for row in imported(conn)] == [
        ("alice", "shop.customer", "auditctl", 2),
        ("reader", "shop.customer", "pgaudit object", 3),
        ("reader", "shop.visit", "pgaudit object", 4),
    ]


def test_line_of_another_session_hides_no_read(auditctl: RunAuditctl, conn: psycopg.Connection, log: Path) -> None:
    conn.execute("update auditctl.capture set actions = actions || '{READ}' where target = 'shop.customer'")
    hidden = read(1, dbname=conn.info.dbname, process=77)
    elsewhere = own(conn, 2)
    copied = {**elsewhere, **{name: hidden[name] for name in ("session_id", "pid", "vxid", "user")}, "line_num": 2}
    log.write_bytes(as_json([hidden, elsewhere, copied]))
    auditctl("import-log", log, check=0)
    assert [(row[1], row[-1]["source"]) for row in imported(conn)] == [
        ("reader", "pgaudit object"),
        ("alice", "auditctl"),
    ]


def test_line_that_just_came_waits_for_that_of_the_policy(
    auditctl: RunAuditctl, conn: psycopg.Connection, log: Path
) -> None:
    conn.execute("update auditctl.capture set actions = actions || '{READ}' where target = 'shop.customer'")
    now = datetime.now(UTC) + timedelta(hours=1)
    stamp = {"timestamp": f"{now:%Y-%m-%d %H:%M:%S}.000 UTC"}
    first = [read(1, dbname=conn.info.dbname), {**read(2, dbname=conn.info.dbname), **stamp}]
    rest = [{**own(conn, 2, at=(now + timedelta(seconds=1)).isoformat()), **stamp, "line_num": 3}]
    log.write_bytes(as_json(first))
    assert "  1 of transactions or statements that are still open" in auditctl("import-log", log, check=0).err
    log.write_bytes(as_json(first + rest))
    auditctl("import-log", log, check=0)
    assert [(row[-1]["source"], row[-1]["line"]) for row in imported(conn)] == [("pgaudit object", 1), ("auditctl", 3)]


def test_lines_of_before_what_retention_removed_stay_away(
    auditctl: RunAuditctl, conn: psycopg.Connection, log: Path
) -> None:
    lines = [read(number, dbname=conn.info.dbname) for number in (1, 2, 3)]
    log.write_bytes(as_json([*lines[:2], own(conn, 2)]))
    auditctl("import-log", log, check=0)
    before = START + timedelta(seconds=3)
    assert conn.execute("select auditctl_internal.prune_read_lines(%s)", [before]).fetchone() == (3,)
    log.write_bytes(as_json([*lines, own(conn, 1)]))
    assert "  3 of a time whose events retention has removed\n" in auditctl("import-log", "--again", log, check=0).err
    assert len(imported(conn)) == 4
