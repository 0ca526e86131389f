"""Who can write past the functions of the store can forge what auditctl records of itself; no command ends by that."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from psycopg.types.json import Jsonb

from auditctl import coverage, database, manifest
from auditctl.capture import config_history
from auditctl.doctor import clear_values
from auditctl.log import exported
from auditctl.log.filters import Filters
from tests.fixtures.databases import connect
from tests.support import sealing
from tests.support.forging import forge, forge_times, forge_unreadable
from tests.support.verifying import fill
from tests.web.documents import read

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.coverage import Coverage
    from auditctl.database import Connection
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

COMMANDS = (
    "log --limit 3", "log --verbose --target item", "log --target auditctl.* --limit 500 --format jsonl",
    "history item 1", "log --xact 7", "stats --by target", "events", "hold list", "access", "metrics", "reconcile",
    "maintain --dry-run", "export --output {}/x.csv --manifest", "check-export --log {}/x.csv",
    "archive --to {}/archive", "maintain", "log --everywhere --limit 3",
)  # fmt: skip
FINDING = ("check", "doctor", "verify")
"""Those that may exit with 3: what was forged is no drift, but what they find is for them to say."""

PAGES = ("/", "/config/history", "/config/history?target=item", "/access", "/retention", "/overview", "/transactions",
         "/doctor", "/config", f"/check?sha256={'0' * 64}")  # fmt: skip


def coverage_of(conn: Connection) -> Coverage:
    return coverage.read(conn, Filters.parse({}))


def test_no_command_and_no_page_ends_by_a_forged_event(
    db: str, auditctl: RunAuditctl, admin: Client, tmp_path: Path
) -> None:
    fill(db)
    keys = sealing.make_keys(tmp_path)
    sealing.seal(db, keys)
    with database.connect_store(db) as conn:
        before = coverage_of(conn)
        forge(conn)
    sealing.seal(db, keys)
    ended = {command: auditctl(*command.format(tmp_path).split()) for command in (*COMMANDS, *FINDING)}
    assert {
        command: result.err
        for command, result in ended.items()
        if result.code not in ((0, 3) if command in FINDING else (0, 4))
    } == {}
    pages = {path: admin.get(path) for path in PAGES}
    assert {path: read(page.text).alerts for path, page in pages.items() if page.status_code != 200} == {}
    with database.connect_store(db) as conn, database.read_transaction(conn):
        assert all(isinstance(one.facts["rows"], int) for one in exported.recorded(conn, sha256="0" * 64))
        manifest.coverage(conn, Filters.parse({}), datetime.now(UTC))
        for target in ("", "item"):
            config_history.read(conn, target, limit=5000)
        after = coverage_of(conn)
    said = set(after.gaps) - set(before.gaps)
    assert any("is not one that auditctl writes: somebody forged it" in sentence for sentence in said)


def test_json_that_python_cannot_read_ends_nothing(
    db: str, auditctl: RunAuditctl, admin: Client, tmp_path: Path
) -> None:
    fill(db)
    with database.connect_store(db) as conn:
        forge_unreadable(conn)
        assert any("somebody forged it" in sentence for sentence in coverage_of(conn).gaps)
        (last,) = conn.execute("select max(event_id) from auditctl.event").fetchone() or (0,)
    commands = ("log --limit 3", "log --target auditctl.* --verbose", f"show {last}", "access", "doctor")
    ended = {one: auditctl(*one.format(tmp_path).split()) for one in commands}
    assert {one: done.err for one, done in ended.items() if "unexpected" in done.err} == {}
    pages = {path: admin.get(path).status_code for path in (*PAGES, f"/events/{last}")}
    assert set(pages.values()) == {200}, pages


def test_a_reader_who_forges_an_export_ends_no_check(
    db: str, login: MakeLogin, auditctl: RunAuditctl, admin: Client, tmp_path: Path
) -> None:
    file = tmp_path / "x.csv"
    auditctl("export", "--output", str(file), check=0)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with connect(login("mallory", roles=["auditctl_reader"]).dsn) as mallory:
        (number,) = mallory.execute("select auditctl.record_export('{}')").fetchone() or (0,)
        deep = "(repeat('[', 3000) || repeat(']', 3000))::jsonb"
        facts = {"rows": 1, "bytes": file.stat().st_size, "sha256": digest, "selection": "every event"}
        mallory.execute(
            f"select auditctl.record_export_end(%s, %s || jsonb_build_object('odd', {deep}))".encode(),
            [number, Jsonb(facts)],
        )
    assert auditctl("check-export", "--log", str(file)).code == 0
    assert admin.get(f"/check?sha256={digest}").status_code == 200


def test_forged_times_that_python_cannot_have_end_nothing(db: str, auditctl: RunAuditctl) -> None:
    fill(db)
    with database.connect_store(db) as conn:
        forge_times(conn)
        coverage_of(conn)
        config_history.read(conn, "item")
        with database.read_transaction(conn):
            clear_values.read(conn)
    auditctl("history", "item", "1", check=0)
    auditctl("doctor", check=3)
