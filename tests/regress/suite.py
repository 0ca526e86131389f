"""Runs the suite's scripts with psql, one after the other, in a database on a server of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditctl.demo.server import SUPERUSER, EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.regress.source import Source

DATABASE = "regression"
"""What some scripts expect the database to be called."""

SETTINGS = {
    "autovacuum": "off",
    "max_prepared_transactions": "5",
    "lc_messages": "C",
}
"""Statistics change when a script says so, and not while it runs."""

CREATE = f"""
    create database {DATABASE} template template0 lc_collate 'C' lc_ctype 'C';
    alter database {DATABASE} set lc_messages = 'C';
    alter database {DATABASE} set lc_monetary = 'C';
    alter database {DATABASE} set lc_numeric = 'C';
    alter database {DATABASE} set lc_time = 'C';
    alter database {DATABASE} set bytea_output = 'hex';
    alter database {DATABASE} set timezone_abbreviations = 'Default'
"""
"""As PostgreSQL's own driver of the suite creates it."""

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LC_MESSAGES": "C",
    "PGTZ": "PST8PDT",
    "PGDATESTYLE": "Postgres, MDY",
    "PGOPTIONS": "-c intervalstyle=postgres_verbose",
    "PGCLIENTENCODING": "UTF8",
}

OPTIONS = ("-X", "-a", "-q", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on")
"""What the scripts expect psql to run with."""

MARKS = {
    "@abs_srcdir@": "{home}/suite",
    "@libdir@": "{home}/libraries",
    "@testtablespace@": "{home}/testtablespace",
    "@abs_builddir@": "{home}",
}
"""What the templates of PostgreSQL 14 have for folders, each before one that it is in."""

LONGEST = 600.0
"""Seconds that one script may take."""


@dataclass(frozen=True, slots=True)
class Run:
    """A database in which scripts run.

    Attributes:
        server: The server.
        source: The suite.
        home: Where scripts write files, and where their results are.
    """

    server: EmbeddedServer
    source: Source
    home: Path

    @property
    def dsn(self) -> str:
        """The database's connection string."""
        return self.server.dsn(DATABASE)

    def script(self, name: str) -> float:
        """Run one script; return its seconds. What it writes is in the file of its result, with marks for folders."""
        began = time.monotonic()
        environment = {
            **ENVIRONMENT,
            "PGHOST": self.server.host,
            "PGPORT": str(self.server.port),
            "PGUSER": SUPERUSER,
            "PGDATABASE": DATABASE,
            "PGAPPNAME": f"pg_regress/{name}",
            "PG_ABS_SRCDIR": str(self.home / "suite"),
            "PG_ABS_BUILDDIR": str(self.home),
            "PG_LIBDIR": str(self.home / "libraries"),
            "PG_DLSUFFIX": ".so",
        }
        folders = {mark.encode(): folder.format(home=self.home).encode() for mark, folder in MARKS.items()}
        script = self.source.script(name)
        for mark, folder in folders.items():
            script = script.replace(mark, folder)
        # The server's own, if it is there: one of another version may not know what a script uses, or wait for ever.
        program = shutil.which("psql", path=os.pathsep.join([str(self.server.bindir), ENVIRONMENT["PATH"]])) or "psql"
        result = subprocess.run(
            [program, *OPTIONS], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
            cwd=self.home, timeout=LONGEST, check=False,
        ).stdout  # fmt: skip
        for mark, folder in folders.items():
            result = result.replace(folder, mark)
        self.result(name).write_bytes(result)
        return time.monotonic() - began

    def result(self, name: str) -> Path:
        """The file with what a script wrote."""
        return self.home / "results" / f"{name}.out"


@contextmanager
def running(bindir: Path, source: Source) -> Iterator[Run]:
    """A server with an empty database of the suite, which ends with the context."""
    with EmbeddedServer(bindir, settings=SETTINGS) as server:
        for statement in CREATE.split(";"):
            psql(server, "postgres", statement)
        home = server.folder / "regress"
        for folder in (home, home / "results", home / "testtablespace"):
            folder.mkdir()
            folder.chmod(0o777)
        for part in ("sql", "data"):
            shutil.copytree(source.suite / part, home / "suite" / part)
        shutil.copytree(source.libraries, home / "libraries")
        yield Run(server, source, home)


def psql(server: EmbeddedServer, dbname: str, command: str) -> None:
    """Run a command as the superuser."""
    subprocess.run(["psql", "-X", "-q", "-d", server.dsn(dbname), "-c", command], check=True, stdout=subprocess.DEVNULL)


def schedule(source: Source) -> list[str]:
    """The names of the scripts, in the order in which they run."""
    lines = (source.suite / "parallel_schedule").read_text().splitlines()
    return [name for line in lines if line.startswith("test:") for name in re.split(r"\s+", line[5:].strip())]
