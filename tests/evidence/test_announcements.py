"""An event announces the changes of capture that it names, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl.evidence import announcements
from tests.support import sealing
from tests.support.verifying import Log, fill

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

TOGGLE = "alter table item disable trigger auditctl_update; alter table item enable always trigger auditctl_update"
REPLACE = (
    "create or replace function auditctl_triggers.public__item__update() returns trigger language plpgsql "
    "security definer as 'begin return null; end'"
)
FORGE = "select auditctl_internal.insert_event(%s, %s, 'EVENT', null, '{}', 'x')"


@pytest.fixture
def log(db: str, conn: psycopg.Connection[Any], tmp_path: Path, auditctl: RunAuditctl) -> Log:
    fill(db)
    log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
    log.seal()
    return log


def test_forged_event_announces_no_change_of_a_table_that_it_does_not_name(log: Log) -> None:
    log.conn.execute("alter event trigger auditctl_guard_ddl disable")
    log.seal()
    attacks = [
        (change, item, target, name)
        for change, item in (
            (TOGGLE, "trigger auditctl_update on public.item"),
            (REPLACE, "function auditctl_triggers"),
        )
        for target, name in (
            ("auditctl.capture", "public.other"),
            ("auditctl.ddl", "public.items"),
            ("auditctl.rule", "public.item"),
            ("auditctl.store", "0001"),
            ("auditctl.partition", "public.item"),
        )
        # An installation writes all functions.
        if (change, target) != (REPLACE, "auditctl.store")
    ]
    for change, _, target, name in attacks:
        with log.conn.transaction():
            log.conn.execute(change.encode())
            log.conn.execute(FORGE, [target, name])
        log.seal()
    found = {(f["block"], f["sentence"][: f["sentence"].index(":")]) for f in log.verify()["findings"]}
    unseen = [
        (item, target)
        for block, (_, item, target, _) in enumerate(attacks, 3)
        if not any(number == block and sentence.startswith(item) for number, sentence in found)
    ]
    assert unseen == []
    with log.conn.transaction():
        log.conn.execute(TOGGLE.encode())
        log.conn.execute(FORGE, ["auditctl.capture", "public.item"])
    log.seal()
    noted = log.verify()["notes"]
    assert any(note.startswith("trigger auditctl_update on public.item") for note in noted), "the event is in the log"


def test_every_change_that_the_tool_and_the_guard_make_is_announced(log: Log, tmp_path: Path) -> None:
    rules = tmp_path / "audit.toml"
    rules.write_text("""[[table]]\nname = "public.*"\n[[table]]\nname = '"We ird".*'\n""")
    log.conn.execute("create table part (id int primary key, v text) partition by range (id)")
    log.conn.execute("create table part1 partition of part for values from (0) to (10)")
    log.conn.execute("""create schema "We ird"; create table "We ird"."T.a on b__" (id int primary key)""")
    log.auditctl("apply", rules, "--yes", check=0)
    log.seal()
    for statement in (
        "alter table part rename to parts",
        "create table part2 partition of parts for values from (10) to (20)",
        "create table fresh (id int primary key)",
        """alter table "We ird"."T.a on b__" add v text""",
        """alter table "We ird"."T.a on b__" rename to "so_" """,
        "alter table parts detach partition part1",
        "alter table item rename to items",
        "create table child (w text) inherits (items)",
    ):
        log.conn.execute(statement.encode())
        log.seal()
    log.auditctl("disable", "parts", check=0)
    log.auditctl("install", check=0)
    log.seal()
    assert log.verify(check=0)["findings"] == []


def test_functions_of_tables_are_named_as_the_store_names_them(conn: psycopg.Connection[Any]) -> None:
    for schema, table in (("public", "item"), ("a_", "b"), ("We ird", "T" * 70), ("ä" * 20, "ö" * 20), ("a__b", "c")):
        row = conn.execute("select auditctl_internal.function_name(%s, %s, 'TRUNCATE')", [schema, table]).fetchone()
        assert row == (announcements.function_name(schema, table, "truncate"),)
