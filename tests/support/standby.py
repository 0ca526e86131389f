"""A standby server, for tests that read on one."""

from __future__ import annotations

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
