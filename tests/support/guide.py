"""Runs the blocks of a guide in docs/how-to, in their order, as its reader does."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "how-to"

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = ("sh", "sql")


def processor_seconds(server: EmbeddedServer) -> float:
    """Return the processor time of the programs that have ended, and of a server with all its sessions."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime
    postmaster = psutil.Process(server.pid)
    for process in (postmaster, *postmaster.children()):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # it ended meanwhile, and is counted with the postmaster's
            continue
        total += times.user + times.system
        total += times.children_user + times.children_system if process is postmaster else 0
    return total


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of a page.

    Attributes:
        kind: Its language.
        text: What is in it.
    """

    kind: str
    text: str


class Console:
    """Runs the blocks of a page, as a superuser on the machine of the server does.

    Attributes:
        blocks: The blocks that were not run yet.
        seconds: Each block that ran, with the processor time of its programs and of the server.
    """

    def __init__(self, page: str, server: EmbeddedServer, dsn: str, folder: Path) -> None:
        """Read the page, and put the programs on the path."""
        found = BLOCK.finditer((FOLDER / page).read_text("utf-8"))
        self.blocks = [Block(match[1], match[2]) for match in found if match[1] in RUN]
        self.seconds: list[tuple[str, float]] = []
        self._server, self._folder = server, folder
        known: dict[str, Any] = conninfo_to_dict(dsn)
        self._name = known["dbname"]
        programs = f"{Path(sys.executable).parent}:{server.bindir}:{os.environ['PATH']}"
        self._env = os.environ | {"PATH": programs, "AUDITCTL_DSN": dsn, "PGDATABASE": self._name}
        self._env.pop("COLUMNS", None)  # what a test runner sets for its own output
        self._env |= {"PGHOST": known["host"], "PGPORT": str(known["port"]), "PGUSER": known["user"]}

    def run(self, number: int) -> str:
        """Run the next blocks, and return what they print, messages included."""
        return "".join(self._run(self.blocks.pop(0)) for _ in range(number))

    def _run(self, block: Block) -> str:
        script = block.text.replace("--dbname=shop", f"--dbname={self._name}")
        command = ["bash", "-e", "-o", "pipefail"] if block.kind == "sh" else ["psql", "-X", "-v", "ON_ERROR_STOP=1"]
        before = processor_seconds(self._server)
        done = subprocess.run(
            command, input=script, cwd=self._folder, env=self._env, capture_output=True, text=True, check=False
        )
        self.seconds.append((block.text, processor_seconds(self._server) - before))
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
