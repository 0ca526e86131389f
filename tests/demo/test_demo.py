"""The demo: it shows what it promises, and leaves nothing but its folder."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from auditctl.demo import company, scenario
from auditctl.demo.server import EmbeddedServer
from auditctl.errors import UsageError
from auditctl.log.columns import COLUMNS
from tests.fixtures.databases import fetch_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.demo.company import Company
    from tests.fixtures.command import Result, RunAuditctl

pytestmark = pytest.mark.slow

NONSENSE = {
    "AUDITCTL_DSN": "nonsense",
    "PGHOST": "nowhere",
    "PGSERVICE": "none",
    "PGOPTIONS": "-c none=1",
    "PGPORT": "x",
}
START_SECONDS = 60


@pytest.fixture
def demo(auditctl: RunAuditctl, temp: Path) -> Iterator[RunAuditctl]:
    """Runs the command with a temp folder of its own and with settings in the environment that would disturb it."""

    def run(*args: str | Path, **options: object) -> Result:
        return auditctl(*args, env={**NONSENSE, "TMPDIR": str(temp)}, **options)  # type: ignore[arg-type]

    yield run
    assert list(temp.iterdir()) == []
    assert servers_in(temp) == []


def servers_in(folder: Path) -> list[str]:
    """The command lines of PostgreSQL's processes that work in a folder."""
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line and "postgres" in line.split()[0]]


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def lived() -> Iterator[Company]:
    """The company after its day."""
    with EmbeddedServer() as server:
        shop = company.create(server)
        company.audit(shop)
        for _ in scenario.day(shop):
            pass
        yield shop


def test_demo_shows_the_log_and_leaves_no_process_and_no_folder(demo: RunAuditctl, tmp_path: Path) -> None:
    done = demo("demo", check=0)
    for shown in (
        "$ auditctl install",
        'mask = ["card_number"]',
        "$ auditctl log --target 'billing.*'",
        "plan_code: team → business",
        "$ auditctl history Plan business",
        '"claimed_actor": "alice"',
        "ERROR:  42501: permission denied for table event",
        "ERROR:  UA001: UPDATE on auditctl.event refused: the activity log is write-once",
        "ERROR:  UA002: update of billing.plan refused: no actor is set",
    ):
        assert shown in done.out
    assert "\x1b" not in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["demo-output"]
    assert [path.name for path in (tmp_path / "demo-output").iterdir()] == ["activity.csv"]


@pytest.mark.slow
def test_quiet_demo_prints_data_only_and_replaces_the_csv_of_another_run(demo: RunAuditctl, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "activity.csv").write_text("old")
    (out / "other.txt").write_text("kept")
    done = demo("--quiet", "demo", "--output", out, check=0)
    assert done.err == ""
    assert "$ auditctl" not in done.out
    assert "team → business" in done.out
    assert len(read_csv(out / "activity.csv")) > 20
    assert (out / "other.txt").read_text() == "kept"


@pytest.mark.slow
def test_kept_server_is_reached_and_stopped_by_the_printed_commands(
    demo: RunAuditctl, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    done = demo("--quiet", "demo", "--keep", "--output", tmp_path / "out", check=0)
    lines = done.out.splitlines()
    psql = next(line for line in lines if line.startswith("Connect:")).partition(":")[2]
    dsn = shlex.split(next(line for line in lines if "AUDITCTL_DSN=" in line))[1].partition("=")[2]
    stop = lines[lines.index("Stop and remove:") + 1]
    try:
        version = subprocess.run(f"{psql} -Atc 'select 1'", shell=True, capture_output=True, check=True)
        assert version.stdout == b"1\n"
        assert fetch_value(dsn, "show listen_addresses") == ""
        log = auditctl("log", "--format", "csv", "--limit", "1000", dsn=dsn, check=0).out
    finally:
        subprocess.run(stop, shell=True, check=True)
    in_log = [row for row in csv.DictReader(log.splitlines()) if row["target"] != "auditctl.export"]
    assert read_csv(tmp_path / "out" / "activity.csv") == in_log[::-1]
    assert list(in_log[0]) == list(COLUMNS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wait_for", "number"),
    [("Starting", signal.SIGINT), ("A day at the company", signal.SIGTERM), ("A day at the company", signal.SIGHUP)],
)
def test_interrupted_demo_leaves_nothing(wait_for: str, number: signal.Signals, temp: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "auditctl", "demo"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if wait_for.encode() in line:
                break
        time.sleep(0.1)
        os.killpg(running.pid, number)
        rest = running.stdout.read().decode()
        assert running.wait(START_SECONDS) == 130, rest
    assert rest.endswith("error: interrupted\n")
    assert list(temp.iterdir()) == []
    assert servers_in(temp) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_closed_pipe_ends_the_demo_without_a_trace(temp: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        f"set -o pipefail; {shlex.quote(sys.executable)} -m auditctl demo --keep | head -n 1",
        shell=True,
        executable="/bin/bash",
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temp)},
        capture_output=True,
    )
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1), done.stderr
    assert list(temp.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["no/such/folder", "file"])
def test_unusable_output_folder_is_a_usage_error_before_anything_starts(
    output: str, demo: RunAuditctl, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = demo("demo", "--output", output, check=UsageError.exit_code)
    assert f"cannot make the folder {output}" in done.err
    assert "hint:" in done.err
    assert "Starting" not in done.err


def test_machine_without_postgresql_gets_a_hint(tmp_path: Path) -> None:
    script = (
        "from auditctl.demo import binaries\n"
        "binaries.SYSTEM_PATTERNS, binaries.WHEEL = (), 'no_such_wheel'\n"
        "from auditctl.cli.main import main\n"
        "main(['demo'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": "/nonexistent"},
        capture_output=True,
    )
    assert done.returncode == 5
    assert b"hint: Install PostgreSQL 14 or later, or its programs alone: pip install 'auditctl[demo]'." in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_each_act_is_in_the_log_under_its_author(lived: Company) -> None:
    found = fetch_value(
        lived.auditor,
        "select jsonb_object_agg(user_name, counted) from ("
        " select user_name, array_agg(distinct action order by action) as counted from auditctl.activity"
        " where target_name like 'billing.%' group by user_name) as by_user",
    )
    assert found == {
        "alice": ["CREATE", "UPDATE"],
        "bob": ["UPDATE"],
        "carol": ["UPDATE", "DELETE"],
        "dana": ["UPDATE"],
        "System": ["CREATE"],
    }


def test_requests_carry_address_request_and_reason(lived: Company) -> None:
    found = fetch_value(
        lived.auditor,
        "select jsonb_build_array(ip_address, context, db_user, new_values) from auditctl.activity"
        " where target = 'Plan' and target_id = 'team'",
    )
    context = {"request_id": "req-1045", "reason": "new price list", "application_name": "billing-web"}
    assert found == ["203.0.113.24", context, "billing_web", {"price": 34.00}]


def test_card_numbers_and_excluded_columns_are_not_in_the_log(lived: Company) -> None:
    text = json.dumps(fetch_value(lived.auditor, "select jsonb_agg(to_jsonb(event)) from auditctl.event"))
    assert "$masked" in text
    assert not re.search(r"\d{15,16}\b", text)
    rows = "select count(*) from auditctl.event where coalesce(new_values, old_values) ? 'updated_at'"
    assert fetch_value(lived.auditor, rows) == 0


def test_rolled_back_delete_left_nothing_but_a_gap(lived: Company) -> None:
    deleted = "select count(*) from auditctl.activity where target = 'billing.invoice' and action = 'DELETE'"
    assert fetch_value(lived.auditor, deleted) == 0
    assert fetch_value(lived.auditor, "select max(event_id) - count(*) from auditctl.event") > 0


def test_every_attempt_is_refused_and_changes_nothing(lived: Company) -> None:
    image = "select md5(string_agg(event::text, ',' order by event_id)) from auditctl.event"
    before = fetch_value(lived.superuser, image)
    answers = [(attempt.login, attempt.sqlstate) for attempt in scenario.attempts(lived)]
    assert answers == [
        ("billing_web", "42501"),
        ("auditor", "42501"),
        ("dana", "UA001"),
        ("dana", "UA001"),
        ("billing_job", "UA002"),
    ]
    assert fetch_value(lived.superuser, image) == before


def test_files_of_the_company_are_inside_the_package() -> None:
    spec = find_spec("auditctl.demo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    assert {path.name for path in folder.iterdir() if path.suffix in (".sql", ".toml")} == {
        "billing.sql",
        "billing.toml",
    }
