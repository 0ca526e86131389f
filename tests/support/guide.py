"""Runs the blocks of a guide in docs/how-to, in their order, as its reader does.

A comment before a block says when it runs, how its commands end, as which login, or to which file it is added:
`<!-- run: guarded, exit 3 -->`, `<!-- run: as billing_web -->`, `<!-- run: file audit.toml -->`.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from psycopg.conninfo import conninfo_to_dict, make_conninfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditctl.demo.server import EmbeddedServer

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "how-to"

PIECE = re.compile(
    r"^## (?P<title>[^\n]+)$|^(?:<!-- run: (?P<marks>[^\n]+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
GUARDED, UNGUARDED = "guarded", "unguarded"
SHELL = ("bash", "-e", "-o", "pipefail")
PSQL = ("psql", "-X", "-v", "ON_ERROR_STOP=1")

VOLATILE = (
    r"\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d:\d\d(?= UTC)",
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\.\d+Z?)?)?",
    r"(?<=xact_id)\W+\d+",
    r"(?<=base/)\d+/\d+",
    r"(?<=event_)\d{4}_\d\d",
    r"\b\d[\d.,]* (bytes|kB|MB)\b",
)
"""What differs from run to run."""

DATED = ("server_end_of_life", "server_prerelease")
"""Findings of doctor that depend on the server's version, and on the day: pages are written without them."""


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


def normal(output: str) -> list[str]:
    """Lines of output without what differs from run to run, and without spaces that align it."""
    for pattern in VOLATILE:
        output = re.sub(pattern, "?", output)
    return [re.sub(r" {2,}|─+", "  ", line).rstrip() for line in output.splitlines()]


def is_dated(output: str) -> bool:
    """Return whether doctor found something that depends on the version and on the day."""
    return any(name in output for name in DATED)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of a page.

    Attributes:
        chapter: The heading above it.
        kind: Its language.
        text: What is in it.
        marks: When it runs and how it ends.
        number: How many pieces of the page come before it.
    """

    chapter: str
    kind: str
    text: str
    marks: frozenset[str] = frozenset()
    number: int = 0

    @property
    def exit_code(self) -> int:
        """With what one of its commands ends; the others end with 0."""
        return next((int(mark.removeprefix("exit ")) for mark in self.marks if mark.startswith("exit ")), 0)

    @property
    def login(self) -> str | None:
        """The login that runs it; None for whoever reads the page."""
        return next((mark.removeprefix("as ") for mark in self.marks if mark.startswith("as ")), None)

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command of a console block, with the output that is shown below it."""
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page that a reader runs, in their order."""
    found, chapter = [], ""
    for number, match in enumerate(PIECE.finditer((FOLDER / page).read_text("utf-8"))):
        if match["title"]:
            chapter = match["title"]
        elif match["kind"] != "text":
            marks = frozenset((match["marks"] or "").split(", ")) - {""}
            found.append(Block(chapter, match["kind"], match["text"], marks, number))
    return found


def rewrite(page: str, block: Block, text: str) -> None:
    """Write another text into a block of a page."""
    path = FOLDER / page
    before = path.read_text("utf-8")
    match = list(PIECE.finditer(before))[block.number]
    path.write_text(f"{before[: match.start('text')]}{text}{before[match.end('text') :]}", "utf-8")


@dataclass
class Console:
    """Runs the blocks of a page, on the machine of the server.

    Attributes:
        page: The file.
        server: The server.
        dsn: The database, as the login of whoever reads the page.
        folder: Where the commands run.
        places: Texts of the page, and what stands for them here, such as paths.
        programs: A folder with programs that come before others.
        kinds: Which kinds of blocks run.
        blocks: The blocks that were not run yet.
        seconds: Each block that ran, with the processor time of its programs and of the server.
    """

    page: str
    server: EmbeddedServer
    dsn: str
    folder: Path
    places: Mapping[str, str] = field(default_factory=dict)
    programs: Path | None = None
    kinds: tuple[str, ...] = ("sh", "sql")
    seconds: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the page, and put the programs on the path."""
        self.blocks = [block for block in blocks(self.page) if block.kind in self.kinds]
        known = {name: str(value) for name, value in conninfo_to_dict(self.dsn).items()}
        folders = [*([self.programs] if self.programs else []), Path(sys.executable).parent, self.server.bindir]
        path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
        self._env: dict[str, str] = dict(os.environ) | {
            "PATH": path,
            "AUDITCTL_DSN": self.dsn,
            "PGDATABASE": known["dbname"],
        }
        self._env.pop("COLUMNS", None)  # what a test runner sets for its own output
        self._env |= {"PGHOST": known["host"], "PGPORT": known["port"], "PGUSER": known["user"]}

    def run(self, number: int) -> str:
        """Run the next blocks, which succeed, and return what they print, messages included."""
        return "".join(self._run_block(self.blocks.pop(0)) for _ in range(number))

    def run_command(self, block: Block, command: str, *, width: int = 130) -> str:
        """Run one command of a block, and return what it prints, as the page would show it."""
        done = self._start(SHELL, command, {"COLUMNS": str(width), **self._login(block)})
        is_expected = done.returncode in (0, block.exit_code) or is_dated(done.stdout)
        assert is_expected, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        shown = "".join(f"{line.rstrip()}\n" for line in (done.stdout + done.stderr).splitlines())
        for text, here in self.places.items():
            shown = shown.replace(here, text) if here.startswith("/") else shown
        return shown

    def _run_block(self, block: Block) -> str:
        before = processor_seconds(self.server)
        done = self._start(SHELL if block.kind == "sh" else PSQL, block.text, self._login(block))
        self.seconds.append((block.text, processor_seconds(self.server) - before))
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def _login(self, block: Block) -> dict[str, str]:
        """The variables that make a block's commands log in as its login."""
        if block.login is None:
            return {}
        return {"PGUSER": block.login, "AUDITCTL_DSN": make_conninfo(self.dsn, user=block.login)}

    def _start(self, program: tuple[str, ...], script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        for text, here in self.places.items():
            script = script.replace(text, here)
        return subprocess.run(
            program,
            input=script,
            cwd=self.folder,
            env={**self._env, **env},
            capture_output=True,
            text=True,
            check=False,
        )


class Reading:
    """A reader of the page, who runs its blocks and compares what they print with what it shows."""

    def __init__(self, console: Console, *, is_guarded: bool, update: bool) -> None:
        self._console, self._mark, self._update = console, GUARDED if is_guarded else UNGUARDED, update

    def run(self, block: Block) -> None:
        """Run a block, unless it is for others."""
        if block.marks & ({GUARDED, UNGUARDED} - {self._mark}):
            return
        file = next((mark.removeprefix("file ") for mark in block.marks if mark.startswith("file ")), None)
        if block.kind == "toml" or file:
            with (self._console.folder / (file or "audit.toml")).open("a") as target:
                target.write(f"{block.text}\n")
        elif block.kind == "console":
            self._compare(block)
        elif block.kind == "sql":
            self._console._run_block(block)
        else:
            self._console.run_command(block, block.text)

    def _compare(self, block: Block) -> None:
        written = ""
        is_compared = UNGUARDED in block.marks or self._mark == GUARDED
        for command, shown in block.commands:
            real = self._console.run_command(block, command)
            if is_compared and not self._update and not is_dated(real):
                assert normal(real) == normal(shown), f"run this test with --update-golden\n$ {command}\n{real}"
            written += f"$ {command}\n{real}"
        if is_compared and self._update and written != block.text:
            rewrite(self._console.page, block, written)
