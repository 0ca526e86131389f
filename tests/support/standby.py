"""A standby server, for tests that read on one or promote it, and a server of which an older copy is put back."""

from __future__ import annotations

import shutil
import subprocess

from psycopg import sql
from psycopg.conninfo import make_conninfo

from auditctl.demo.process import end_process
from auditctl.demo.server import EmbeddedServer


class Standby(EmbeddedServer):
    """A server that follows another."""

    def __init__(self, primary: EmbeddedServer) -> None:
        super().__init__(primary.bindir, settings={**primary._settings, "hot_standby": "on"}, tcp=True)
        self._primary = primary

    def _make_data(self) -> None:
        program = self.bindir / "pg_basebackup"
        where = ("-h", self._primary.host, "-p", str(self._primary.port), "-U", "postgres")
        self._run([program, *where, "-D", self.data, "-R", "-X", "stream", "-c", "fast"])
        assert self._process is not None
        assert self._process.wait(60) == 0, self._log_end()
        self._process = None
        # pg_basebackup writes every option of its own libpq, of which the server's may be older.
        address = make_conninfo(host=self._primary.host, port=self._primary.port, user="postgres")
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = {sql.Literal(address).as_string()}\n")


class RestorableServer(EmbeddedServer):
    """A server whose data directory is copied, and replaced by that copy, as a cold backup is."""

    def back_up(self) -> None:
        """Stop the server, copy its data directory, and start it again."""
        self._halt()
        subprocess.run(["cp", "-a", self.data, self.folder / "backup"], check=True)
        self._resume()

    def restore(self) -> None:
        """Stop the server, put the copy in the place of its data directory, and start it again."""
        self._halt()
        shutil.rmtree(self.data)
        (self.folder / "backup").rename(self.data)
        self._resume()

    def _halt(self) -> None:
        assert self._process is not None
        end_process(self._process)
        self._process = None

    def _resume(self) -> None:
        self._launch()
        self._wait_until_ready()
