"""The tab key in a real terminal: bash, and zsh and fish where they are installed, put whole words on the line."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_completion import SHOP
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

SECONDS = 60
"""How long a shell may take to answer."""

SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "bind 'set enable-bracketed-paste off'; source script.bash; args() { printf '[%s]' \"$@\"; echo end; }",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "unsetopt zle_bracketed_paste; bindkey -e; autoload -U compinit; compinit -D -u; source ./script.zsh; "
        "args() { printf '[%s]' \"$@\"; echo end; }",
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        "source script.fish; function args; printf '[%s]' $argv; echo end; end",
    ),
}

LINES = {
    "auditctl unin": ["auditctl", "uninstall"],
    "pgauditctl log --target billing.c": ["pgauditctl", "log", "--target", "billing.customer"],
    "auditctl log --target=billing.c": ["auditctl", "log", "--target=billing.customer"],
    "auditctl log --target Our": ["auditctl", "log", "--target", "Our: customer"],
    "auditctl log --target 'Our: cu": ["auditctl", "log", "--target", "Our: customer"],
    'auditctl log --target "Our: cu': ["auditctl", "log", "--target", "Our: customer"],
    'auditctl enable we\\ ird.\\"it': ["auditctl", "enable", 'we ird."it\'s.""odd"""'],
    "auditctl enable 'we ird.\"it": ["auditctl", "enable", 'we ird."it\'s.""odd"""'],
    "auditctl enable we\\ ird.\\$": ["auditctl", "enable", "we ird.$(touch hacked)"],
    "auditctl log --user actor:Sys": ["auditctl", "log", "--user", "actor:System"],
    "auditctl plan rul": ["auditctl", "plan", "rules of us.toml"],
}


class Terminal:
    """A shell with a terminal, to which lines are typed.

    Args:
        command: The shell.
        env: Its environment.
        folder: Its folder.
    """

    def __init__(self, command: list[str], env: Mapping[str, str], folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._shell = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=folder
        )
        os.close(theirs)
        self.output = ""

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read what the shell prints until a pattern is in it, and forget it."""
        while not (match := re.search(pattern, self.output, re.DOTALL)):
            assert select.select([self._ours], [], [], SECONDS)[0], self.output
            self.output += os.read(self._ours, 4096).decode(errors="replace")
        self.output = self.output[match.end() :]
        return match

    def close(self) -> None:
        os.close(self._ours)
        self._shell.kill()
        self._shell.wait(SECONDS)


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_the_word_as_the_shell_reads_it(
    shell: str, db: str, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed (Debian: apt-get install {shell})")
    with connect(db) as conn:
        conn.execute(SHOP)
    auditctl("enable", "billing.customer", "--label", "Our: customer", dsn=db, check=0)
    (tmp_path / f"script.{shell}").write_text(auditctl("completion", shell, check=0).out)
    (tmp_path / "rules of us.toml").touch()
    command, setup = SHELLS[shell]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"AUDITCTL_DSN": db, "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    terminal = Terminal(command, env, tmp_path)
    try:
        terminal.type(f"{setup}; echo re''ady\n")
        terminal.read_until("ready\r?\n")
        for line, words in LINES.items():
            terminal.type(f"{line}\t\x01args \n")
            match = terminal.read_until(r"(\[auditctl\]|\[pgauditctl\])[^\n]*end\r?\n")
            assert match[0].strip() == "".join(f"[{word}]" for word in words) + "end", line
    finally:
        terminal.close()
    assert not (tmp_path / "hacked").exists()
