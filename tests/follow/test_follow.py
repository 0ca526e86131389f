"""`auditctl follow`: each committed event at least once, from where it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.log import follow as log_follow
from auditctl.log.consumers import Consumer
from auditctl.log.snapshot import Snapshot
from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.support.retaining import LONG_AGO, fill, keep, months

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

TABLES = "create table note (id int primary key); create table other (id int primary key)"

TABLES_AUDITED = audited(TABLES, "note", "other")

db_template = begin_with(TABLES_AUDITED)

ONCE = ("follow", "--once", "--target", "public.note")


@pytest.fixture
def note(db: str) -> str:
    """A database with two audited tables."""
    return db


def keys(out: str) -> list[str]:
    return [json.loads(line)["target_id"] for line in out.splitlines()]


def go_on(auditctl: RunAuditctl, *options: str | Path) -> list[str]:
    return keys(auditctl(*ONCE, *(options or ("--consumer", "siem")), check=0).out)


def test_consumer_gets_what_commits_late_after_its_commit_and_nothing_twice(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    with connect(note) as late, connect(note) as prepared:
        late.execute("begin; insert into note values (1); savepoint s; insert into note values (2)")
        late.execute("rollback to s; savepoint t; insert into note values (3); release t")
        prepared.execute("begin; insert into note values (4); prepare transaction 'late'")
        conn.execute("insert into note values (5)")
        assert go_on(auditctl) == ["5"]
        conn.execute("insert into note values (6)")
        assert go_on(auditctl) == ["6"]
        late.execute("commit")
        assert go_on(auditctl) == ["1", "3"]
        conn.execute("commit prepared 'late'")
    assert go_on(auditctl) == ["4"]
    assert go_on(auditctl) == []


def test_lines_are_those_of_the_log(note: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("insert into note values (1); insert into other values (2)")
    followed = auditctl("follow", "--once", "--action", "create", "--target", "public.*", check=0)
    exported = auditctl("export", "--format", "jsonl", "--action", "create", "--target", "public.*", check=0)
    assert followed.out == exported.out
    assert followed.out.count("\n") == 2
    assert followed.err == "Wrote 2 events; up to date.\n"


def test_a_page_is_no_end(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_follow, "PAGE", 2)
    conn.execute("insert into note select generate_series(1, 5)")
    assert go_on(auditctl) == ["1", "2", "3", "4", "5"]
    conn.execute("insert into note select generate_series(6, 9)")
    monkeypatch.setattr(log_follow, "PAGE_BYTES", 1)
    monkeypatch.setattr(log_follow, "_FETCH", 1)
    assert go_on(auditctl) == ["6", "7", "8", "9"]


def test_killed_between_two_pages_it_goes_on_with_the_page_that_was_not_stored(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.execute("insert into note values (0)")
    assert go_on(auditctl) == ["0"]
    monkeypatch.setattr(log_follow, "PAGE", 2)
    conn.execute("insert into note select generate_series(1, 5)")
    saves = []
    save = Consumer.save

    def killed(self: Consumer, *arguments: object) -> None:
        saves.append(arguments)
        if len(saves) == 2:
            raise RuntimeError
        save(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Consumer, "save", killed)
    assert keys(auditctl(*ONCE, "--consumer", "siem", check=1).out) == ["1", "2", "3", "4"]
    conn.execute("insert into note values (6)")
    assert go_on(auditctl) == ["3", "4", "5", "6"]
    assert go_on(auditctl) == []


def test_new_follower_begins_at_the_start_now_or_at_a_snapshot(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    conn.execute("insert into note values (1)")
    auditctl("export", "--snapshot-file", tmp_path / "snapshot", check=0)
    snapshot = (tmp_path / "snapshot").read_text().strip()
    conn.execute("insert into note values (2)")
    assert go_on(auditctl, "--from", "now") == []
    assert go_on(auditctl, "--consumer", "new", "--from", "now") == []
    assert go_on(auditctl, "--consumer", "second", "--from", snapshot) == ["2"]
    conn.execute("insert into note values (3)")
    assert go_on(auditctl, "--consumer", "new") == ["3"]
    assert go_on(auditctl, "--consumer", "second") == ["3"]
    assert go_on(auditctl, "--from", "start") == ["1", "2", "3"]
    assert "'soon' is not a snapshot" in auditctl("follow", "--from", "soon", check=2).err


def test_other_filters_or_another_format_of_a_consumer_are_refused(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    for place in (("--consumer", "it's"), ("--cursor", "cursor")):
        auditctl(*ONCE, *place, cwd=tmp_path, check=0)
        refused = auditctl("follow", "--once", *place, cwd=tmp_path, check=2)
        assert 'follows with another filters: {"target": ["public.note"]}\nhint: Use the same. To begin' in refused.err
        relative = auditctl("follow", "--once", "--since", "24h", *place, cwd=tmp_path, check=2)
        assert "hint: Write the time: --since 20" in relative.err
    assert "auditctl follow --drop 'it'\"'\"'s'" in auditctl("follow", "--once", "--consumer", "it's", check=2).err
    auditctl("follow", "--once", "--since", "24h", check=0)


def test_mistake_at_the_first_start_leaves_no_consumer_behind(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    for place in (("--consumer", "siem"), ("--cursor", "cursor")):
        for mistake in (("--target", "public.nte"), ("--from", "1/2/3:4:")):
            auditctl("follow", "--once", *place, *mistake, cwd=tmp_path, check=2)
        auditctl(*ONCE, *place, cwd=tmp_path, check=0)


def test_glob_covers_a_table_that_is_audited_later(note: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    glob = ("follow", "--once", "--consumer", "siem", "--target", "public.*")
    auditctl(*glob, check=0)
    conn.execute("create table later (id int primary key)")
    auditctl("enable", "later", check=0)
    conn.execute("insert into later values (7)")
    assert keys(auditctl(*glob, check=0).out) == ["7"]


def test_place_of_another_database_or_of_the_future_is_refused(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    auditctl(*ONCE, "--consumer", "siem", check=0)
    for pattern, replacement, message in (
        (":(\\d+):", ":9999999:", "newer than the database"),
        ("^(\\d)", "1\\1", "of another database"),
    ):
        conn.execute("update auditctl.consumer set snapshot = regexp_replace(snapshot, %s, %s)", [pattern, replacement])
        refused = auditctl(*ONCE, "--consumer", "siem", check=2)
        assert (refused.out, message in refused.err) == ("", True)
        assert refused.err.endswith("To begin again, drop it: auditctl follow --drop siem\n")


def test_restored_store_is_followed_again_after_its_adoption_from_the_start(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("insert into note values (1)")
    assert go_on(auditctl) == ["1"]
    conn.execute(
        "insert into auditctl.event (actor_kind, action, target, target_id, xact_id) "
        "values ('system', 'CREATE', 'public.note', '8', '900000000'), ('system', 'CREATE', 'public.note', '9', '3'); "
        "select auditctl_internal.insert_event("
        "'auditctl.store', '0001', 'EVENT', null, '{\"found\": \"restored\"}', 'adopted')"
    )
    assert "was taken before the store was restored here" in auditctl(*ONCE, "--consumer", "siem", check=2).err
    auditctl("follow", "--drop", "siem", check=0)
    assert sorted(go_on(auditctl)) == ["1", "8", "9"]
    conn.execute("insert into note values (2)")
    assert go_on(auditctl) == ["2"]
    conn.execute("update auditctl.place set database = 1")
    assert "hint: Make it sound here with: auditctl adopt" in auditctl(*ONCE, check=3).err


def test_deleted_months_that_were_not_read_are_named(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    auditctl("follow", "--once", "--consumer", "siem", check=0)
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01-10", "shop.order")
    conn.execute("update auditctl.consumer set taken_at = '2020-01-15'")
    keep(conn, "*", "400 days")
    conn.execute(LONG_AGO)
    auditctl("maintain", check=0)
    done = auditctl("follow", "--once", "--consumer", "siem", check=0)
    assert "warning: retention deleted events of 2020-01 that may not have been written before\n" in done.err
    assert "warning" not in auditctl("follow", "--once", "--consumer", "siem", check=0).err


def test_transaction_ended_between_two_snapshots() -> None:
    earlier = Snapshot(1, 1, 5, 9, (5, 7))
    assert not earlier.has_ended_since(earlier)
    assert Snapshot(1, 1, 7, 9, (7,)).has_ended_since(earlier)
    assert Snapshot(1, 1, 5, 10, (5, 7, 9)).has_ended_since(earlier)


def test_begin_of_a_follower_is_recorded_and_nothing_else(
    note: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin, tmp_path: Path
) -> None:
    reader = login("siem", roles=["auditctl_reader"])
    for _ in range(2):
        auditctl(*ONCE, "--consumer", "siem", dsn=reader.dsn, check=0)
        auditctl(*ONCE, "--cursor", "here", dsn=reader.dsn, cwd=tmp_path, check=0)
    auditctl("follow", "--drop", "siem", dsn=reader.dsn, check=0)
    rows = conn.execute(
        "select target, target_id, action::text, context ->> 'summary', coalesce(new_values, old_values) "
        "- 'snapshot' - 'events' from auditctl.event where target in ('auditctl.consumer', 'auditctl.export') "
        "and db_user = %s order by event_id",
        [reader.name],
    ).fetchall()
    what = {"format": "jsonl", "filters": {"target": ["public.note"]}}
    assert rows == [
        ("auditctl.consumer", "siem", "CREATE", "consumer begins", {**what, "owner": reader.name}),
        ("auditctl.export", None, "EVENT", "log exported", {**what, "follow": True, "cursor": "here"}),
        ("auditctl.consumer", "siem", "DELETE", "consumer dropped", {**what, "owner": reader.name}),
    ]
