"""What auditctl does to configuration, roles and the log is an event of its own; what only reads leaves none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditctl import resources, store
from auditctl.cli.main import COMMANDS
from auditctl.names import STORE_REVISION
from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

FILE = '[[table]]\nname = "note"\nlabel = "Note"\n[[event]]\nname = "auth.login"\nenabled = false\n'

READING: dict[str, list[str]] = {
    "tables": ["tables", "--all"],
    "events": ["events"],
    "plan": ["plan"],
    "check": ["check"],
    "config": ["config"],
    "doctor": ["--quiet", "doctor"],
    "stats": ["stats"],
    "access": ["access"],
    "reconcile": ["reconcile"],
}
"""Commands that change nothing, and so leave nothing."""

ELSEWHERE = {
    "completion": "prints a script: tests/cli/test_completion.py",
    "adopt": "needs a restored database: tests/store/test_adopt.py",
    "demo": "has a server of its own, where it does what the others do",
    "check-export": "reads a file: tests/export/test_check_export.py",
    "follow": "stays, and records its beginning: tests/follow",
    "import-log": "needs a server's log: tests/log_import/test_import_log.py",
    "serve": "shows what the others do: tests/web",
    "view": "saves what is personal, and no configuration: tests/log/test_saved_views.py",
    "metrics": "shows figures of the log: tests/web/test_metrics.py",
    "uninstall": "ends everything: tests/store/test_uninstall.py",
    "erase": "needs an event: tests/evidence/test_erase.py",
    "keygen": "writes a file: tests/evidence/test_seal.py",
    "seal": "needs a key, and is recorded by its blocks: tests/evidence/test_seal.py",
    "checkpoint": "needs a sealed log: tests/evidence/test_anchors.py",
    "verify": "needs a sealed log: tests/evidence/test_verify.py",
    "prove": "needs a sealed log: tests/evidence/test_prove.py",
    "verify-proof": "reads a file: tests/evidence/test_prove.py",
    "restore-archive": "needs an archived month: tests/archive/test_restore_archive.py",
    "archive": "needs months that are over: tests/archive/test_archive_command.py",
    "maintain": "needs months that are over: tests/upkeep/test_maintain_command.py",
}

CHANGING: dict[str, tuple[list[str], list[tuple[str, str | None, str, str | None]]]] = {
    "enable": (
        ["enable", "note", "--actions", "create"],
        [
            ("auditctl.capture", "public.note", "EVENT", "capture installed: create"),
            ("auditctl.rule", "public.note", "CREATE", None),
        ],
    ),
    "disable": (
        ["disable", "old"],
        [
            ("auditctl.capture", "public.old", "EVENT", "capture removed: create, update, delete, truncate"),
            ("auditctl.rule", "public.old", "DELETE", None),
        ],
    ),
    "apply": (
        ["apply", "-"],
        [
            ("auditctl.capture", "public.note", "EVENT", "capture installed: create, update, delete, truncate"),
            ("auditctl.capture", "public.old", "EVENT", "capture removed: create, update, delete, truncate"),
            ("auditctl.event_type", "auth.login", "CREATE", None),
            ("auditctl.rule", "public.note", "CREATE", None),
            ("auditctl.rule", "public.old", "DELETE", None),
        ],
    ),
    "grant": (["grant", "app", "LOGIN"], [("auditctl.role", "auditctl_app", "EVENT", "auditctl_app granted to LOGIN")]),
    "backup-role": (
        ["backup-role", "LOGIN"],
        [("auditctl.role", "auditctl_backup", "EVENT", "auditctl_backup granted to LOGIN")],
    ),
    "revoke": (
        ["revoke", "reader", "LOGIN"],
        [("auditctl.role", "auditctl_reader", "EVENT", "auditctl_reader revoked from LOGIN")],
    ),
    "export": (
        ["export", "--output", "log.csv"],
        [
            ("auditctl.export", "EXPORT", "EVENT", "export complete"),
            ("auditctl.export", None, "EVENT", "log exported"),
        ],
    ),
    "baseline": (
        ["baseline", "old"],
        [("auditctl.baseline", "public.old", "EVENT", "baseline of public.old: 0 rows recorded")],
    ),
    "hold": (
        ["hold", "add", "old", "--reason", "case 31", "--yes"],
        [("auditctl.hold", "1", "CREATE", None)],
    ),
    "log": (["log"], [("auditctl.lookup", None, "EVENT", "log viewed: every event")]),
    "show": (
        ["show", "1"],
        [
            (
                "auditctl.lookup",
                f'["auditctl.store", "{STORE_REVISION}"]',
                "EVENT",
                f"event viewed: 1, auditctl.store {STORE_REVISION}",
            )
        ],
    ),
    "history": (
        ["history", "auditctl.store", STORE_REVISION],
        [
            (
                "auditctl.lookup",
                f'["auditctl.store", "{STORE_REVISION}"]',
                "EVENT",
                f"history viewed: auditctl.store {STORE_REVISION}",
            )
        ],
    ),
    "record": (["record", "billing.report", "7", "sent"], [("billing.report", "7", "EVENT", "sent")]),
}
"""Commands that change something or show the log, and the events that are there afterwards and were not before."""


def events(conn: psycopg.Connection, after: int) -> list[Any]:
    return conn.execute(
        "select target, target_id, action::text, context ->> 'summary' from auditctl.event where event_id > %s "
        'order by target collate "C", target_id collate "C", event_id',
        [after],
    ).fetchall()


def newest(conn: psycopg.Connection) -> int:
    row = conn.execute("select max(event_id) from auditctl.event").fetchone()
    assert row is not None
    return int(row[0])


TABLES = "create table note (id int primary key); create table old (id int primary key)"

db_template = begin_with(audited(TABLES, "old"), fixture="login_name")


@pytest.fixture
def login_name(conn: psycopg.Connection, auditctl: RunAuditctl, role_names: list[str]) -> str:
    """A login that is a reader, in a database with one audited table and one that is not."""
    name = f"recorded_{conn.info.dbname}"
    conn.execute(f"create role {name} login".encode())
    role_names.append(name)
    auditctl("grant", "reader", name, check=0)
    return name


def test_every_command_is_known_to_change_something_or_nothing() -> None:
    assert {*READING, *CHANGING, *ELSEWHERE, "install"} == set(COMMANDS)


@pytest.mark.parametrize("command", CHANGING)
def test_a_command_that_changes_something_leaves_its_events(
    conn: psycopg.Connection, auditctl: RunAuditctl, login_name: str, command: str
) -> None:
    words, wanted = CHANGING[command]
    before = newest(conn)
    auditctl(*(word.replace("LOGIN", login_name) for word in words), input=FILE, check=0)
    names = {"LOGIN": login_name, "EXPORT": str(before + 1)}
    assert events(conn, before) == [
        (target, names.get(key or "", key), action, summary.replace("LOGIN", login_name) if summary else None)
        for target, key, action, summary in wanted
    ]


@pytest.mark.parametrize("command", READING)
def test_a_command_that_only_reads_leaves_none(
    conn: psycopg.Connection, auditctl: RunAuditctl, login_name: str, command: str
) -> None:
    before = newest(conn)
    assert auditctl(*READING[command]).code in (0, 3)
    assert events(conn, before) == []


def test_an_installation_is_the_first_event_of_a_log(empty_db: str) -> None:
    store.install(empty_db)
    store.install(empty_db)
    with connect(empty_db) as conn:
        assert events(conn, 0) == [
            ("auditctl.store", STORE_REVISION, "EVENT", f"store installed at revision {STORE_REVISION}")
        ]


def test_a_guard_that_is_switched_on_later_is_recorded(db: str, conn: psycopg.Connection) -> None:
    conn.execute("drop event trigger auditctl_guard_ddl")
    before = newest(conn)
    assert store.install(db).is_guarded is True
    assert store.install(db).is_guarded is True
    assert events(conn, before) == [("auditctl.store", STORE_REVISION, "EVENT", "coverage guard switched on")]


def test_what_auditctl_records_of_itself_can_be_asked_for_before_it_was_recorded(auditctl: RunAuditctl) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "business-events.md").read_text("utf-8")
    named = set(re.findall(r"^\| `(auditctl\.\w+)` \|", page, re.MULTILINE))
    sources = [*resources.folder("sql").rglob("*.sql"), *(resources.folder("migrations")).glob("*.py")]
    text = "".join(file.read_text("utf-8") for file in sources)
    assert set(re.findall(r"auditctl_internal\.insert_event\(\s*'(auditctl\.\w+)'", text)) <= named
    for target in sorted(named):
        assert auditctl("log", "--target", target).code == 0, target
