"""The log on a terminal and in a pipe: colors, progress, and where a table is cut."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded import Recorded, documents, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


def on_terminal(db: str, *arguments: str, **environment: str) -> str:
    """What a terminal of 100 columns receives from a command."""
    main, terminal = pty.openpty()
    given = {**os.environ, "AUDITCTL_DSN": db, "TERM": "xterm", "COLUMNS": "100", **environment}
    running = subprocess.Popen(
        [sys.executable, "-m", "auditctl", *arguments], stdout=terminal, stderr=terminal, stdin=terminal, env=given
    )
    os.close(terminal)
    received = b""
    with contextlib.suppress(OSError):  # what a terminal gives when its last user is gone
        while data := os.read(main, 65536):
            received += data
    os.close(main)
    assert running.wait(timeout=60) == 0
    return received.decode()


def test_colors_appear_on_a_terminal_unless_refused(db: str, conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    assert "\x1b[33mUPDATE" in on_terminal(db, "log", "--target", "customer")
    assert "\x1b" not in on_terminal(db, "log", "--target", "customer", NO_COLOR="1")
    assert "\x1b" not in on_terminal(db, "log", "--target", "customer", TERM="dumb")


def test_progress_is_drawn_on_a_terminal_unless_quiet(db: str, conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    assert "events/s" in on_terminal(db, "export", "--output", "/dev/null")
    assert on_terminal(db, "--quiet", "export", "--output", "/dev/null") == ""


def test_table_cuts_nothing_in_a_pipe_or_if_it_may_be_wide(
    auditctl: RunAuditctl, db: str, conn: psycopg.Connection
) -> None:
    values = json.dumps({f"column_{number}": "x" * 50 for number in range(50)})
    record(conn, Recorded(actor="a" * 300, target_id="k" * 300, new=values), Recorded(actor="名" * 20))
    out = auditctl("log", "--target", "customer", env={"COLUMNS": None}, check=0).out
    head, short, whole = out.splitlines()
    (details,) = (
        event["details"] for event in documents(auditctl("log", "--user", "a" * 300, "--format", "jsonl", check=0).out)
    )
    assert len(details) > 2000
    assert all(text in whole for text in ("a" * 300, "k" * 300, details))
    assert "…" not in out
    assert [head.index("action"), short.index("UPDATE") + 20] == [whole.index("UPDATE")] * 2
    assert auditctl("log", "--target", "customer", "--wide", check=0).out == out
    assert details in auditctl("history", "customer", "k" * 300, "--wide", check=0).out
    assert f"\x1b[33mUPDATE\x1b[0m  billing.customer  {'k' * 300}" in on_terminal(
        db, "log", "--target", "customer", "--wide"
    )
