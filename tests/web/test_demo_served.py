"""`auditctl demo --serve`: the sample data in a browser, in one command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.web import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow  # starts a server of its own


def test_demo_serves_the_log_until_it_is_interrupted_and_leaves_nothing(temp: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "auditctl", "demo", "--serve", "--port", "0"]
    env = {**os.environ, "TMPDIR": str(temp)}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        shown = b""
        while b"configures it" not in shown:
            shown += running.stdout.readline() or pytest.fail(f"ended early: {shown.decode()}")
        text = shown.decode()
        (url,) = re.findall(r"Open (http://127\.0\.0\.1:\d+)/", text)
        passwords = dict(re.findall(r"^  (auditor|dana) +(\S+)", text, re.MULTILINE))
        with Client(base_url=url) as auditor, Client(base_url=url) as dana:
            assert auditor.sign_in("auditor", passwords["auditor"]).status_code == 303
            assert dana.sign_in("dana", passwords["dana"]).status_code == 303
            assert "billing.invoice" in auditor.get("/").text
            assert "Configuration" in dana.get("/").text
            assert "Configuration" not in auditor.get("/").text
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert passwords["auditor"] not in err.decode()
    assert list(temp.iterdir()) == []


def test_a_demo_that_serves_cannot_also_be_kept(auditctl: RunAuditctl) -> None:
    assert "exclude each other" in auditctl("demo", "--serve", "--keep", env={"AUDITCTL_DSN": None}, check=2).err
