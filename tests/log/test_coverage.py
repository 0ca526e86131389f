"""An answer says what was not recorded of what it is asked for: an empty one never looks as if nothing had happened."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from auditctl import coverage, database
from auditctl.coverage import Coverage
from auditctl.log.filters import Filters
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import LiteralString

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client

TABLES: LiteralString = """
    create schema billing;
    create table billing.invoice (id int primary key, amount numeric, card text, noted text);
    create table billing.plan (id int primary key);
    create table billing.secret (id int primary key)
"""
TIME = re.compile(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d:\d\d UTC")


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """Two audited tables and one that is not."""

    def prepare(dsn: str) -> None:
        with connect(dsn) as conn:
            conn.execute(TABLES)
        audit(dsn, "billing.invoice", label="Invoice", exclude=("noted",), mask=("card",))
        audit(dsn, "billing.plan")

    with prepared(server, template, prepare) as name:
        yield name


def read(dsn: str, **texts: str | list[str]) -> Coverage:
    """Return what a selection's coverage is, with <time> for each time."""
    given = {name: [value] if isinstance(value, str) else value for name, value in texts.items()}
    with database.connect(dsn) as conn:
        found = coverage.read(conn, Filters.parse(given).resolve(conn))
    return Coverage(*(tuple(TIME.sub("<time>", text) for text in texts) for texts in (found.gaps, found.notes)))


def test_an_action_that_no_rule_records_is_named(db: str) -> None:
    assert read(db, target="Invoice", action="read").gaps == ("READ of Invoice is not recorded.",)
    assert read(db, action=["read", "update"]).gaps == ("READ is captured on no table.",)
    found = read(db, target="Invoice")
    assert found.gaps == ()
    assert found.notes == (
        "READ of Invoice is not recorded.",
        "CREATE, UPDATE, DELETE and TRUNCATE of Invoice: recorded since <time>.",
        "Of Invoice never recorded (excluded): noted.",
        "Of Invoice recorded without values (masked): card.",
    )
    (summary,) = read(db).notes
    within_a_second = "2 tables are audited, since <time>."
    assert summary in ("2 tables are audited, the first since <time>, the last since <time>.", within_a_second)
    assert read(db).gaps == ()


def test_a_time_before_recording_began_is_named(db: str) -> None:
    whole = "CREATE, UPDATE, DELETE and TRUNCATE of"
    assert read(db, target="Invoice", since="2020-01-01").gaps == (f"{whole} Invoice: recorded only since <time>.",)
    assert read(db, until="2020-01-01").gaps == (
        f"{whole} Invoice: recorded only since <time>.", f"{whole} billing.plan: recorded only since <time>.",
    )  # fmt: skip


def test_an_hour_switched_off_is_named_with_who_did_it_when_it_is_searched(
    db: str, auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    (before,) = conn.execute("select clock_timestamp()").fetchone() or ()
    auditctl("disable", "billing.invoice", "--actions", "update,delete", check=0)
    off = "UPDATE and DELETE of Invoice are not recorded since <time>: switched off by postgres."
    assert read(db).gaps == (off,)
    rule = ("billing.invoice", "--label", "Invoice", "--mask", "card", "--exclude", "noted")
    auditctl("enable", *rule, check=0)
    was_off = "UPDATE and DELETE of Invoice were not recorded from <time> to <time>: switched off by postgres."
    assert read(db, action="update").gaps == (was_off.replace(" and DELETE", "").replace("were", "was"),)
    assert read(db, target="Invoice", since=before.isoformat()).gaps == (was_off,)
    later = datetime.now(UTC) - timedelta(microseconds=1)
    assert read(db, since=later.isoformat()).gaps == ()
    assert read(db, target="billing.plan").gaps == ()


def test_capture_that_was_lost_past_the_rules_is_named(
    db: str, auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    with connect(db) as released, released.transaction():
        released.execute("select auditctl.release('billing.invoice', 'load')")
        released.execute("alter table billing.invoice disable trigger auditctl_update")
    assert read(db, action="update").gaps == (
        "UPDATE of Invoice is not recorded since <time>: trigger auditctl_update was disabled by postgres.",
    )
    auditctl("apply", "--yes", check=0)
    assert read(db, action="update").gaps == (
        "UPDATE of Invoice was not recorded from <time> to <time>: trigger auditctl_update was disabled by postgres.",
    )
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    conn.execute("alter table billing.plan disable trigger auditctl_delete")
    assert read(db, action="delete").gaps == (
        "DELETE of billing.plan may be missing: its trigger is missing or switched off now; see auditctl doctor.",
    )
    conn.execute("alter event trigger auditctl_guard_ddl enable always")
    auditctl("apply", "--yes", check=0)
    assert read(db, action="delete").gaps == (
        "DELETE of billing.plan may be missing before <time>: its trigger was switched off until postgres enabled it.",
    )


def test_a_table_that_is_not_audited_is_not_unknown(db: str, auditctl: RunAuditctl) -> None:
    for text in ("billing.secret", "secret", "SECRET", "billing.sec*"):
        refused = auditctl("log", "--target", text, check=2)
        assert "billing.secret is not audited: nothing that happened to it is in the log" in refused.err, text
    assert "the log knows no table 'no.such'" in auditctl("log", "--target", "no.such", check=2).err


def test_the_command_line_names_gaps_on_stderr_and_an_export_in_its_manifest(
    db: str, auditctl: RunAuditctl, login: MakeLogin, tmp_path: Path
) -> None:
    auditor = login("auditor", roles=["auditctl_reader"]).dsn
    found = auditctl("log", "--target", "Invoice", "--action", "read", dsn=auditor, check=0)
    assert found.err.splitlines() == ["No events.", "READ of Invoice is not recorded."]
    file = tmp_path / "reads.csv"
    auditctl("export", "--action", "read", "--manifest", "--output", file, dsn=auditor, check=0)
    manifest = json.loads((tmp_path / "reads.csv.manifest.json").read_text())
    assert manifest["not_recorded"] == ["READ is captured on no table."]


def test_a_business_event_that_is_switched_off_is_named(db: str, conn: psycopg.Connection) -> None:
    conn.execute("insert into auditctl.event_type (name, label, enabled) values ('shop.refund', 'Refund', false)")
    (gap,) = read(db, target="Refund").gaps
    assert gap == "EVENT of Refund is not recorded since <time>: switched off by postgres."
    assert read(db, target="Refund", until="2020-01-01").gaps == ()


def test_of_the_types_of_a_business_event_the_one_that_decides_counts(db: str, conn: psycopg.Connection) -> None:
    with database.connect(db) as app:
        for name in ("shop.refund", "shop.sale"):
            app.execute("select auditctl.record_event(%s)", [name])
    conn.execute("insert into auditctl.event_type (name, enabled) values ('shop.refund', true), ('shop.*', false)")
    off = "EVENT of shop.{} is not recorded since <time>: switched off by postgres."
    assert read(db, target="shop.sale").gaps == (off.format("sale"),)
    assert read(db, target="shop.refund").gaps == ()
    conn.execute("delete from auditctl.event_type where name = 'shop.refund'")
    assert read(db, target="shop.refund").gaps == (off.format("refund"),)
    conn.execute("update auditctl.event_type set enabled = true")
    assert read(db, target="shop.refund").gaps == (
        "EVENT of shop.refund was not recorded from <time> to <time>: switched off by postgres.",
    )
    conn.execute("insert into auditctl.event_type (name, enabled) values ('*', false)")
    assert read(db, target="auditctl.rule").gaps == ()


def test_what_upkeep_may_have_deleted_is_named(db: str, auditctl: RunAuditctl, tmp_path: Path) -> None:
    text = auditctl("config", check=0).out
    (tmp_path / "a.toml").write_text(text + '\n[retention]\nkeep = "400 days"\n')
    auditctl("apply", "--yes", tmp_path / "a.toml")
    kept = "Events are kept 400 days: those before <time> may be deleted."
    assert kept in read(db, since="2020-01-01").gaps
    assert kept in read(db).notes


@pytest.mark.parametrize("address", ["/?", "/?group=transaction&", "/transactions?"])
def test_the_page_says_so_beside_an_empty_answer(reader: Client, address: str) -> None:
    text = reader.get(f"{address}target=Invoice&action=read").text
    assert "READ of Invoice is not recorded." in text
    assert '<details class="coverage" open>' in text
    assert "billing.secret is not audited" in reader.get("/?target=billing.secret").text


@pytest.mark.parametrize("actions", [["baseline"], ["baseline", "create"]])
def test_rows_of_a_baseline_are_not_called_an_action_that_no_table_captures(db: str, actions: list[str]) -> None:
    assert read(db, action=actions).gaps == ()


def test_of_a_column_and_its_values_only_actions_that_have_them_count(db: str) -> None:
    covered = read(db, target="Invoice", column="amount", since="2000-01-01")
    assert covered.gaps == ("UPDATE of Invoice: recorded only since <time>.",)
    assert not any("READ" in note for note in covered.notes)
    either = "CREATE, UPDATE and DELETE"
    for name, actions in (("was", "UPDATE and DELETE"), ("became", "CREATE and UPDATE"), ("changed", either)):
        covered = read(db, target="Invoice", since="2000-01-01", **{name: "amount=1"})
        assert covered.gaps == (f"{actions} of Invoice: recorded only since <time>.",), name
        assert not any("READ" in note for note in covered.notes), name
    assert read(db, target="Invoice", column="amount", action="read").gaps == ("READ of Invoice is not recorded.",)


@pytest.mark.parametrize(
    "row",
    ["{}", "[]", "7", '{"name": "billing.invoice"}',
     '{"name": "a.b.c", "position": 1, "actions": [], "exclude": null, "mask": null}',
     '{"name": "billing.invoice", "position": "x", "actions": 5, "exclude": null, "mask": null}'],
)  # fmt: skip
def test_a_forged_change_of_a_rule_is_named_and_counts_for_nothing(db: str, row: str) -> None:
    before = read(db, target="billing.invoice")
    with connect(db) as conn:
        (number,) = conn.execute(
            "insert into auditctl.event (actor_kind, target, target_id, action, new_values)"
            " values ('system', 'auditctl.rule', 'billing.invoice', 'CREATE', %s::jsonb) returning event_id", [row]
        ).fetchone() or (0,)  # fmt: skip
    found = read(db, target="billing.invoice")
    assert found.notes == before.notes
    (gap,) = set(found.gaps) - set(before.gaps)
    assert gap.startswith(f"Event {number} of auditctl.rule is not one that auditctl writes: somebody forged it")
