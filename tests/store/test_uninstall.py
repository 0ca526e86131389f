"""`auditctl uninstall` leaves a database as it was, with the log still readable, or dropped once it was exported."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from auditctl import database, removal
from auditctl.actions import Action
from auditctl.errors import DatabaseError
from auditctl.log import counted_export
from tests.fixtures.databases import connect
from tests.support import dumps
from tests.support.capturing import audit
from tests.support.doctoring import found
from tests.support.recorded import documents

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

APPLICATION: LiteralString = """
    create schema app; create schema "My App";
    create table app.plain (junk text, id int primary key, note text); alter table app.plain drop column junk;
    create table app.own (id int primary key, tenant text); alter table app.own enable row level security;
    create policy tenants on app.own using (tenant = current_user);
    create table app.forced (id int primary key);
    alter table app.forced enable row level security, force row level security;
    create policy everyone on app.forced using (true);
    create table app.dormant (id int primary key); create policy dormant on app.dormant using (id > 0);
    create table app.parted (id int primary key, v text) partition by range (id);
    create table app.low partition of app.parted for values from (0) to (10);
    create table app.deep partition of app.parted for values from (10) to (20) partition by range (id);
    create table app.deepest partition of app.deep for values from (10) to (20);
    create table app.parent (id int primary key); create table app.child (w text) inherits (app.parent);
    create table "My App"."Order Line" (id int primary key);
    create table app.gone (id int primary key);
    create function app.notify() returns trigger language plpgsql as 'begin return null; end';
    create trigger auditctl_looks_like_ours after insert on app.plain execute function app.notify();
    insert into app.plain values (1, 'x');
"""
ALL = (Action.CREATE, Action.UPDATE, Action.DELETE, Action.TRUNCATE, Action.READ)
TABLES = ("app.plain", "app.own", "app.forced", "app.parted", "app.parent", "My App.Order Line")


def count(conn: psycopg.Connection, query: LiteralString) -> int:
    (number,) = conn.execute(query).fetchone() or (0,)
    return int(number)


def schema(server: EmbeddedServer, dsn: str) -> str:
    """The application's schemas, as pg_dump writes them; its key of each dump left out."""
    text = dumps.dump(server, dsn, "--schema-only", "--exclude-schema=auditctl*")
    return re.sub(r"\\(un)?restrict \w+", "", text)


def drop_log(db: str, folder: Path, *options: str) -> tuple[str, ...]:
    name = psycopg.conninfo.conninfo_to_dict(db)["dbname"]
    return ("uninstall", "--export", str(folder / "log.jsonl"), "--drop-log", "--yes-i-mean-it", str(name), *options)


@pytest.mark.slow
@pytest.mark.parametrize("is_dropped", [False, True])
def test_database_is_dumped_as_before_the_install(
    server: EmbeddedServer, empty_db: str, auditctl: RunAuditctl, tmp_path: Path, is_dropped: bool
) -> None:
    with connect(empty_db) as conn:
        conn.execute(APPLICATION)
        before = schema(server, empty_db)
        auditctl("install", dsn=empty_db, check=0)
        audit(empty_db, *TABLES, "app.gone", actions=ALL)
        audit(empty_db, "app.dormant")
        conn.execute("insert into app.parted values (1, 'a'), (11, 'b'); update app.plain set note = 'y'")
        conn.execute("select from app.own; select from app.parted; insert into app.child values (1)")
        conn.execute("create table app.later partition of app.parted for values from (20) to (30)")
        auditctl("disable", "app.gone", dsn=empty_db, check=0)
        conn.execute("drop table app.gone; drop table app.later")
        events = count(conn, "select count(*) from auditctl.event")
        words = drop_log(empty_db, tmp_path) if is_dropped else ("uninstall", "--yes")
        done = auditctl(*words, dsn=empty_db, check=0)
        (line,) = (line for line in done.out.splitlines() if line.startswith("Row security becomes"))
        assert all(name in line for name in (*TABLES, "app.low", "app.child"))
        conn.execute("create table app.gone (id int primary key)")
        assert schema(server, empty_db) == before
        if is_dropped:
            written = (tmp_path / "log.jsonl").read_text()
            assert len(documents(written)) > events
            assert documents(written)[-1]["details"] == "auditctl uninstalled: capture and coverage guard are off"
            assert not conn.execute("select from pg_namespace where nspname ^@ 'auditctl'").rowcount
            assert not conn.execute("select from pg_event_trigger where evtname ^@ 'auditctl'").rowcount
        # And again: the store is created anew, or its log goes on.
        auditctl("install", dsn=empty_db, check=0)
        audit(empty_db, "app.plain")
        conn.execute("update app.plain set note = 'z'")
        newest = documents(auditctl("log", "--limit", "1", "--format", "jsonl", dsn=empty_db, check=0).out)
        assert [event["action"] for event in newest] == ["UPDATE"]
        auditctl("check", dsn=empty_db, check=0)
        assert is_dropped != ("app.parted" in auditctl("log", "--limit", "200", dsn=empty_db, check=0).out)


def test_dry_run_says_what_would_be_done_and_does_nothing(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note", actions=(Action.CREATE, Action.READ))
    conn.execute(
        "create function calls() returns void language plpgsql as 'begin perform auditctl.set_context($$a$$); end'"
    )
    before = count(conn, "select max(event_id) from auditctl.event")
    done = auditctl(*drop_log(db, tmp_path, "--dry-run"), check=0)
    assert "Capture ends: public.note." in done.out
    assert "Will fail, as they call the store: public.calls()." in done.out
    assert "Role auditctl_owner " in done.out
    assert not list(tmp_path.iterdir())
    assert count(conn, "select max(event_id) from auditctl.event") == before
    auditctl("check", check=0)


def test_nothing_is_done_unasked_or_without_the_name_of_the_database(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    assert "--yes" in auditctl("uninstall", check=2).err
    auditctl("uninstall", "--drop-log", "--yes-i-mean-it", "x", check=2)
    auditctl("uninstall", "--yes-i-mean-it", "x", check=2)
    wrong = auditctl(*drop_log(db, tmp_path)[:-1], "another", check=2)
    assert "does not name the database" in wrong.err
    device = [*drop_log(db, tmp_path)]
    device[device.index(str(tmp_path / "log.jsonl"))] = "/dev/null"
    assert "not a regular file" in auditctl(*device, check=2).err
    (tmp_path / "log.jsonl").write_text("precious")
    auditctl(*drop_log(db, tmp_path), check=2)
    assert (tmp_path / "log.jsonl").read_text() == "precious"
    auditctl("check", check=0)
    assert json.loads(auditctl("tables", "--format", "json", check=0).out)[0]["state"] == "ok"


DEPENDENT: dict[str, LiteralString] = {
    "view public.seen": "create view seen as select * from auditctl.activity",
    "materialized view public.old": "create materialized view old as select * from auditctl.activity",
    "table public.mine": "create table mine (action auditctl.action)",
    "function public.one(auditctl.action)": "create function one(auditctl.action) returns int return 1",
    "table auditctl_internal.put": "create table auditctl_internal.put (id int)",
    "1 legal hold": "select auditctl.place_hold('public.note', null, 'case 7')",
}


def test_log_that_something_depends_on_is_not_dropped(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    for statement in DEPENDENT.values():
        conn.execute(statement)
    conn.execute("alter event trigger auditctl_guard_ddl enable always")
    refused = auditctl(*drop_log(db, tmp_path), check=4)
    for name in DEPENDENT:
        assert name in refused.err
    assert not list(tmp_path.iterdir())
    assert json.loads(auditctl("tables", "--format", "json", check=0).out)[0]["state"] == "ok"


def test_event_that_comes_after_the_export_keeps_the_log(db: str, conn: psycopg.Connection) -> None:
    with database.connect_store(db) as tool:
        exported = counted_export.extent(tool)
        conn.execute("select auditctl.record_event('app.login')")
        with pytest.raises(DatabaseError, match="events came or went"):
            removal.drop(tool, exported, "5s")
    assert count(conn, "select count(*) from auditctl.event") == exported.events + 1


def test_event_that_takes_the_place_of_an_expired_one_keeps_the_log(db: str, conn: psycopg.Connection) -> None:
    with database.connect_store(db) as tool:
        exported = counted_export.extent(tool)
        conn.execute("set session_replication_role = replica; alter table auditctl.event disable trigger all")
        conn.execute("delete from auditctl.event where event_id = (select min(event_id) from auditctl.event)")
        conn.execute("reset session_replication_role; select auditctl.record_event('app.login')")
        assert counted_export.extent(tool).events == exported.events
        with pytest.raises(DatabaseError, match="events came or went"):
            removal.drop(tool, exported, "5s")


def test_export_that_fails_leaves_capture_on(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    before = count(conn, "select max(event_id) from auditctl.event")
    failed = auditctl("uninstall", "--yes", "--export", "/dev/full", check=1)
    assert failed.err == (
        "error: cannot write /dev/full: No space left on device\n"
        "hint: Nothing was changed. Free some space, or write to another place with --export.\n"
    )
    assert count(conn, "select max(event_id) from auditctl.event") == before
    auditctl("check", check=0)


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_events_that_come_while_the_log_is_exported_are_exported_too(
    db: str,
    conn: psycopg.Connection,
    auditctl: RunAuditctl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    end_capture = removal.end_capture
    words = [word.replace("log.jsonl", f"log.{suffix}") for word in drop_log(db, tmp_path)]
    with connect(db) as writer:
        writer.execute("begin; insert into note values (1)")

        def end_later(*arguments: Any) -> None:
            """A transaction that began before the export commits after it, and so does one that began during it."""
            writer.execute("insert into note values (2); commit")
            conn.execute("insert into note values (3)")
            end_capture(*arguments)

        monkeypatch.setattr(removal, "end_capture", end_later)
        auditctl(*words, check=0)
    written = (tmp_path / f"log.{suffix}").read_text()
    keys = [
        row["target_id"]
        for row in (documents(written) if suffix == "jsonl" else csv.DictReader(written.splitlines()))
        if row["target"] == "public.note"
    ]
    assert sorted(keys) == ["1", "2", "3"]
    assert not conn.execute("select from pg_namespace where nspname ^@ 'auditctl'").rowcount


def test_log_whose_transactions_were_counted_elsewhere_is_exported_by_a_second_run(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    conn.execute("set session_replication_role = replica; alter table auditctl.event disable trigger all")
    conn.execute(
        "insert into note values (1); update auditctl.event set xact_id = '4294967296000' where target = 'public.note'"
    )
    conn.execute("alter table auditctl.event enable trigger all; reset session_replication_role")
    failed = auditctl(*drop_log(db, tmp_path), check=1)
    assert failed.err.endswith("hint: Nothing was dropped. Run it again.\n")
    assert not list(tmp_path.iterdir())
    auditctl(*drop_log(db, tmp_path), check=0)
    assert [
        event["target_id"]
        for event in documents((tmp_path / "log.jsonl").read_text())
        if event["target"] == "public.note"
    ] == ["1"]


def test_event_triggers_of_others_stay(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create function mine() returns event_trigger language plpgsql as 'begin end'")
    conn.execute("create event trigger auditctl_notify on ddl_command_end execute function mine()")
    auditctl("uninstall", "--yes", check=0)
    assert conn.execute("select evtname::text from pg_event_trigger").fetchall() == [("auditctl_notify",)]


def test_the_guard_is_missed_only_once_something_is_audited_again(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    auditctl("uninstall", "--yes", check=0)
    assert "guard" not in {finding.check for finding in found(db)}
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    assert "guard" in {finding.check for finding in found(db)}


def test_only_a_superuser_switches_the_guard_off(
    db: str, auditctl: RunAuditctl, login: MakeLogin, conn: psycopg.Connection
) -> None:
    dba = login("dba", roles=["auditctl_owner", "auditctl_admin"])
    assert (
        "only a superuser can switch the coverage guard off" in auditctl("uninstall", "--yes", dsn=dba.dsn, check=5).err
    )
    reader = login("auditor", roles=["auditctl_reader"])
    auditctl("uninstall", "--yes", dsn=reader.dsn, check=5)
    assert conn.execute("select from pg_event_trigger where evtname ^@ 'auditctl'").rowcount


def test_roles_that_other_databases_use_stay(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    done = auditctl(*drop_log(db, tmp_path), check=0)
    assert "Role auditctl_reader stays, for the stores of other databases: " in done.out
    assert "The roles stay: other databases use them: " in done.err
    assert conn.execute("select from pg_roles where rolname ^@ 'auditctl_'").rowcount == 5
    assert not conn.execute("select from pg_namespace where nspname ^@ 'auditctl'").rowcount
