"""A server whose data pg_upgrade took over from one of an older version of PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.demo.binaries import read_major
from auditctl.demo.process import end_process
from auditctl.demo.server import SUPERUSER, EmbeddedServer
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SECONDS = 240
"""How long pg_upgrade may take."""

CHECKSUMS_BY_DEFAULT = 18
"""From this version on, initdb makes a cluster with checksums, which pg_upgrade refuses for data without them."""


class UpgradedServer(EmbeddedServer):
    """A server of a newer version, with the data of another one, which is stopped for it.

    Args:
        former: The server that has the data; it runs.
        bindir: The folder of the newer version's programs.
    """

    def __init__(self, former: EmbeddedServer, bindir: Path) -> None:
        super().__init__(bindir, settings=former._settings)
        self._former = former

    def _make_data(self) -> None:
        former = self._former
        with connect(former.dsn()) as conn:
            query = "select datcollate from pg_database where datname = 'template0'"
            (locale,) = conn.execute(query).fetchone() or ("",)
        kind = ("-U", SUPERUSER, "--auth=trust", "--no-sync", "--encoding=UTF8", f"--locale={locale}")
        self._finish([self.bindir / "initdb", "-D", self.data, *kind, *self._checksums()])
        assert former._process is not None
        end_process(former._process)
        former._process = None
        folders = ("-d", former.data, "-D", self.data, "-b", former.bindir, "-B", self.bindir)
        self._finish([self.bindir / "pg_upgrade", "-U", SUPERUSER, "-s", self.folder, *folders])

    def _finish(self, command: Sequence[str | Path]) -> None:
        """Run a program until it ends."""
        self._run(command)
        assert self._process is not None
        assert self._process.wait(SECONDS) == 0, self.log.read_text(errors="replace")
        self._process = None

    def _checksums(self) -> tuple[str, ...]:
        return ("--no-data-checksums",) if read_major(self.version) >= CHECKSUMS_BY_DEFAULT else ()
