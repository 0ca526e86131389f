"""`auditctl maintain --every`: upkeep as a service, beside others, through errors, until it is told to stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditctl.cli import maintain_service
from tests.fixtures.databases import connect
from tests.support.retaining import months

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

UNITS = Path(__file__).parents[2] / "docs" / "examples" / "systemd"


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the service slept; at the third time, a signal arrives."""
    done: list[float] = []

    def sleep(seconds: float) -> None:
        done.append(seconds)
        if len(done) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    return done


def ran_at(conn: psycopg.Connection) -> object:
    return conn.execute("select ran_at from auditctl.maintenance").fetchone()


def test_service_runs_once_says_when_it_runs_next_and_ends_regularly(
    auditctl: RunAuditctl, conn: psycopg.Connection, sleeps: list[float]
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    done = auditctl("maintain", "--every", "1d", check=0)
    first, following, last = done.err.splitlines()
    assert first == "Nothing to do."
    assert following.startswith("Next run: 20")
    assert last == "Stopped."
    assert sleeps == [maintain_service.LONGEST_SLEEP] * 3


def test_run_that_another_service_made_is_not_repeated(
    auditctl: RunAuditctl, conn: psycopg.Connection, sleeps: list[float]
) -> None:
    auditctl("maintain", check=0)
    before = ran_at(conn)
    done = auditctl("maintain", "--every", "1h30m", check=0)
    assert ran_at(conn) == before
    assert "Nothing to do" not in done.err
    conn.execute("update auditctl.maintenance set ran_at = now() - interval '89 minutes 55 seconds'")
    sleeps.clear()
    auditctl("maintain", "--every", "1h30m", check=0)
    assert 0 < sleeps[0] <= 5


def test_second_maintain_waits_for_the_first_and_is_tried_again(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection, sleeps: list[float]
) -> None:
    with connect(db) as other:
        other.execute("begin; select from auditctl.maintenance for update")
        done = auditctl("maintain", "--every", "1d", check=0)
    assert sleeps == [maintain_service.BUSY_SECONDS] * 3
    assert done.err.count("Another maintain is running") == 3
    assert ran_at(conn) == (None,)


def test_errors_are_reported_and_do_not_end_it(auditctl: RunAuditctl, login: MakeLogin, sleeps: list[float]) -> None:
    done = auditctl("maintain", "--every", "1d", dsn="host=/nowhere dbname=x", check=0)
    assert done.err.count("warning: ") == 3
    assert "Next attempt: 20" in done.err
    assert sleeps == [300.0] * 3
    sleeps.clear()
    done = auditctl("maintain", "--every", "1d", dsn=login("nobody").dsn, check=0)
    assert "hint: Ask the DBA for: auditctl grant admin nobody" in done.err


@pytest.mark.parametrize("text", ["", "0m", "1s", "6w", "daily", "9" * 400 + "w"])
def test_time_that_is_too_short_too_long_or_no_time_is_refused(auditctl: RunAuditctl, text: str) -> None:
    assert "write 1d, 12h or 1h30m" in auditctl("maintain", "--every", text, check=2).err
    auditctl("maintain", "--every", "1d", "--dry-run", check=2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_service_that_sleeps(db: str, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "auditctl", "maintain", "--every", "1d"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "AUDITCTL_DSN": db}
    ) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("Next run"):
            assert line
        process.send_signal(number)
        assert process.stderr.read() == "Stopped.\n"
    assert process.returncode == 0


def test_units_of_systemd_are_valid(tmp_path: Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/auditctl", "/bin/true").replace("User=auditor", "User=root")
        (tmp_path / unit.name).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    assert len(units) == 7
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True)
    # Units of the machine are none of ours.
    assert [line for line in (done.stdout + done.stderr).splitlines() if "auditctl" in line] == []


def test_line_for_pg_cron_does_all_upkeep(conn: psycopg.Connection, login: MakeLogin) -> None:
    text = (UNITS.parents[1] / "how-to" / "retention.md").read_text()
    (command,) = (line for line in text.splitlines() if "cron.schedule" in line)
    admin = login("cron", roles=["auditctl_admin"])
    with connect(admin.dsn) as session:
        session.execute(command.split("'")[5].encode())
    assert ran_at(conn) != (None,)
