"""Metrics: what the command and the page say, who may read them, and what they cost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from auditctl import metrics
from tests.fixtures.databases import connect
from tests.fixtures.web import nameless
from tests.support.archived import DROPPED, archive_month, move_month
from tests.support.capturing import audit
from tests.support.recorded import START, Recorded, record

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import ServePage

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef" * 2
DOCS = Path(__file__).parents[2] / "docs"


def parse(text: str) -> dict[str, float]:
    """The value of each line, by its name and labels."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def names(text: str) -> set[str]:
    return set(re.findall(r"auditctl_[a-z_]+", text))


def test_metrics_say_what_was_recorded_and_when_upkeep_and_checks_ran(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    row = conn.execute("select now() - interval '1 day', (now() at time zone 'UTC')::date - 1").fetchone()
    assert row is not None
    at, day = row
    record(conn, Recorded(at=at), Recorded(at=at), Recorded(at=at, action="EVENT", target="app.login"))
    auditctl("maintain", check=0)
    auditctl("check", check=0)
    auditctl("doctor")
    for statement in ("drop table note", "delete from auditctl.event"):
        with pytest.raises(psycopg.Error, match="refused"):
            conn.execute(statement.encode())
    found = parse(auditctl("metrics", check=0).out)
    assert found[f'auditctl_events{{class="table",day="{day}"}}'] == 2
    assert found[f'auditctl_events{{class="event",day="{day}"}}'] == 1
    assert found[f'auditctl_event_bytes{{class="table",day="{day}"}}'] > 100
    assert found['auditctl_last_run_sound{run="maintain"}'] == found['auditctl_last_run_sound{run="check"}'] == 1
    assert found['auditctl_last_run_timestamp_seconds{run="doctor"}'] > 1.7e9
    assert found['auditctl_refused_total{kind="change"}'] == found['auditctl_refused_total{kind="ddl"}'] == 1
    assert found["auditctl_audited_tables"] == found["auditctl_guard_enabled"] == found["auditctl_up"] == 1
    assert found["auditctl_months_ahead"] >= 2
    assert found["auditctl_default_partition_events"] == 0


def test_metrics_count_archived_months_and_those_that_were_left_out(
    conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    found = parse(auditctl("metrics", check=0).out)
    assert found['auditctl_archived_months{state="kept"}'] == found['auditctl_archived_events{state="dropped"}'] == 0
    assert "auditctl_archived_until_timestamp_seconds" not in found
    for month in (1, 2, 3, 4):
        conn.execute("select auditctl_internal.create_partition(%s)", [f"2026-0{month}-01"])
        record(conn, *[Recorded(at=START.replace(month=month))] * month)
    move_month(conn, tmp_path, "2026-01")
    made = archive_month(conn, tmp_path, "2026-03")
    facts = ["2026-03", str(tmp_path), "shop", made.rows, made.content, made.digest, ["billing.customer"]]
    conn.execute(DROPPED.replace("now()", "null"), facts)
    found = parse(auditctl("metrics", check=0).out)
    states = [
        found[f'auditctl_archived_{what}{{state="{state}"}}']
        for what in ("months", "events")
        for state in ("kept", "dropped")
    ]
    assert states == [1, 1, 3, 1]
    assert (
        found["auditctl_archived_until_timestamp_seconds"]
        == START.replace(month=4, day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
    )
    assert found["auditctl_unarchived_months"] == 1
    # By the file, April is late, too; and February is to stay once it was brought back.
    conn.execute("insert into auditctl.archiving (keep_hot) values ('3 months')")
    assert parse(auditctl("metrics", check=0).out)["auditctl_unarchived_months"] == 2
    made = archive_month(conn, tmp_path, "2026-02")
    back = DROPPED.replace("dropped_at)", "dropped_at, ended_at, restored_at)").replace("now()", "now(), now(), now()")
    conn.execute(back, ["2026-02", str(tmp_path), "shop", made.rows, made.content, made.digest, ["billing.customer"]])
    assert parse(auditctl("metrics", check=0).out)["auditctl_unarchived_months"] == 1


def test_last_check_that_found_something_is_noted_if_an_administrator_made_it(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    conn.execute("create table note (id int primary key)")
    audit(db, "note")
    auditctl("check", check=0)
    conn.execute("alter event trigger auditctl_guard_drop disable; alter event trigger auditctl_guard_ddl disable")
    conn.execute("drop trigger auditctl_create on note")
    admin, reader = login("boss", roles=["auditctl_admin"]), login("auditor", roles=["auditctl_reader"])
    auditctl("check", dsn=reader.dsn, check=3)
    auditctl("check", "--only", "note", check=3)
    assert parse(auditctl("metrics", check=0).out)['auditctl_last_run_findings{run="check"}'] == 0
    auditctl("check", dsn=admin.dsn, check=3)
    found = parse(auditctl("metrics", check=0).out)
    assert found['auditctl_last_run_sound{run="check"}'] == 0
    assert found['auditctl_last_run_findings{run="check"}'] == 1
    assert 'auditctl_last_sound_run_timestamp_seconds{run="check"}' in found


def test_monitoring_login_reads_metrics_and_nothing_else(db: str, auditctl: RunAuditctl, login: MakeLogin) -> None:
    monitor, nobody = login("prometheus", roles=["pg_monitor"]), login("nobody")
    assert parse(auditctl("metrics", dsn=monitor.dsn, check=0).out)["auditctl_up"] == 1
    auditctl("log", dsn=monitor.dsn, check=5)
    with connect(monitor.dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("select auditctl.record_run('check', true, 0)")
    assert "membership in pg_monitor is enough" in auditctl("metrics", dsn=nobody.dsn, check=5).err


REFUSED: tuple[LiteralString, ...] = ("delete from auditctl.event", "truncate auditctl.event")


def test_refusal_says_the_same_to_a_login_that_was_granted_a_write(conn: psycopg.Connection, login: MakeLogin) -> None:
    mallory = login("mallory")
    grant = sql.SQL("grant delete, truncate, select on auditctl.event to {}")
    conn.execute(grant.format(sql.Identifier(mallory.name)))
    with connect(mallory.dsn) as session:
        for statement in REFUSED:
            with pytest.raises(psycopg.Error) as caught:
                session.execute(statement)
            assert caught.value.sqlstate == "UA001"


def test_days_are_counted_once_again_and_then_never(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    days = [row[0] for row in conn.execute("select now() - make_interval(days => n) from generate_series(1, 3) as n")]
    record(conn, *(Recorded(at=day) for day in days))
    auditctl("maintain", check=0)
    record(conn, *(Recorded(at=day) for day in days))
    auditctl("maintain", check=0)
    counted = conn.execute("select events from auditctl.day_count where class = 'table' order by day desc").fetchall()
    assert counted == [(2,), (2,), (1,)]


def test_page_has_metrics_only_where_they_are_switched_on(
    db: str, serve_page: ServePage, login: MakeLogin, person: MakeLogin
) -> None:
    assert serve_page().client().get("/metrics").status_code == 404
    monitor = login("prometheus", roles=["pg_monitor"], attributes="password 'secret for tests'")
    page = serve_page(metrics_dsn=make_conninfo(monitor.dsn, password="secret for tests"), metrics_token=TOKEN)
    client = page.client()
    for word in ("", "Bearer x", f"Basic {TOKEN}", "Bearer", TOKEN):
        assert client.get("/metrics", headers={"Authorization": word}).status_code == 401
    visitor = page.as_login(person("ann", roles=["auditctl_reader"]))
    assert visitor.get("/metrics").status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    answer = client.get("/metrics", headers=bearer)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = parse(answer.text)
    assert found["auditctl_up"] == found["auditctl_signed_in_visitors"] == 1
    assert client.get("/", headers=bearer).status_code == 303
    gone = serve_page(metrics_dsn="host=/nowhere dbname=x", metrics_token=TOKEN).client()
    answer = gone.get("/metrics", headers=bearer)
    assert parse(answer.text) == {"auditctl_up": 0, "auditctl_signed_in_visitors": 0}


def test_weak_token_and_half_a_configuration_are_refused(db: str, auditctl: RunAuditctl, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("short")
    given = ("serve", "--metrics-dsn", db, "--metrics-token-file")
    assert "at least 16" in auditctl(*given, token, dsn=nameless(db), check=2).err
    assert "cannot read" in auditctl(*given, tmp_path / "none", dsn=nameless(db), check=2).err
    assert "together" in auditctl(*given[:3], dsn=nameless(db), check=2).err


def test_alert_rules_dashboard_and_documentation_name_metrics_that_exist(conn: psycopg.Connection) -> None:
    known = {metrics.PREFIX + metric.name for metric in metrics.METRICS}
    dashboard: Any = json.loads((DOCS / "examples/prometheus/dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = re.findall(r"^ +expr: (.+)$", (DOCS / "examples/prometheus/alerts.yml").read_text(), re.MULTILINE)
    assert len(queries) > 8
    assert len(alerts) > 8
    for text in (*queries, *alerts):
        assert names(text) <= known
        assert names(text), text
        assert text.count("(") == text.count(")")
    assert names((DOCS / "how-to/monitoring.md").read_text()) >= known
    returned = {metrics.PREFIX + row[0] for row in conn.execute("select distinct name from auditctl.metrics()")}
    assert returned <= known
