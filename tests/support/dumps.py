"""PostgreSQL's own programs for dumps and copies, run against a test's server as its users run them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer

SECONDS = 240
"""How long a program may take."""


def require_programs(server: EmbeddedServer, *names: str) -> None:
    """Skip the test where the server came without these programs, and say which."""
    if missing := [name for name in names if not (server.bindir / name).exists()]:
        pytest.skip(f"{server.bindir} has no {', '.join(missing)}")


def run(
    server: EmbeddedServer, name: str, *options: str | Path, script: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program of the server's version; skip the test where it is missing.

    Args:
        server: The server that it came with.
        name: The program, such as `pg_dump`.
        options: Its options and arguments.
        script: What it reads from standard input; None for nothing.
        check: Whether it must succeed.
    """
    require_programs(server, name)
    done = subprocess.run(
        [server.bindir / name, *options], input=script or "", capture_output=True, text=True, timeout=SECONDS
    )
    assert not check or done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stderr}"
    return done


def dump(server: EmbeddedServer, dsn: str, *options: str | Path) -> str:
    """Return what `pg_dump` prints of a database; with `--file`, nothing."""
    return run(server, "pg_dump", "-d", dsn, *options).stdout


def restore(server: EmbeddedServer, dsn: str, archive: Path, *options: str | Path) -> str:
    """Restore an archive of `pg_dump -Fc`, `-Fd` or `-Ft`, of which no part may fail; return the messages."""
    return run(server, "pg_restore", "-d", dsn, "--exit-on-error", *options, archive).stderr


def play(server: EmbeddedServer, dsn: str, script: str) -> str:
    """Run a plain dump with psql, of which no statement may fail; return the messages."""
    return run(server, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, script=script).stderr
