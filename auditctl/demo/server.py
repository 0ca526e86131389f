"""Starts and stops a private PostgreSQL server in a folder of its own: for the demo, the tests and the benchmarks.

It listens on a socket inside its folder, and on TCP only on request. Never changes anything outside that folder.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from auditctl.demo.binaries import copy_installation, find_binaries, read_version
from auditctl.demo.process import choose_account, choose_port, end_process, make_folder, remove_folder
from auditctl.errors import DatabaseError
from auditctl.names import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

SUPERUSER: Final = "postgres"

DEFAULT_PORT: Final = 5432
"""The number in the socket's name; the private folder holds no other socket, so it is always free."""

THROWAWAY: Final[Mapping[str, str]] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings for data that need not survive a crash."""

LOCALES: Final = ("C.UTF-8", "C")
"""Locales to try, best first: both sort by code point, the first also has letters beyond ASCII."""

ENVIRONMENT: Final[Mapping[str, str]] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
"""The environment of the server's programs, besides HOME; no PG* variable of the caller reaches them."""

START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
LOG_LINES: Final = 15
"""Last lines of the log that the error about a server that did not start shows."""


@dataclass(frozen=True, slots=True)
class DetachedServer:
    """A server that runs on without this process.

    Attributes:
        pid: Its process.
        folder: Its private folder.
        log: Its log file, inside the folder.
        stop_command: One shell line that ends the server, waits for its end and removes the folder.
    """

    pid: int
    folder: Path
    log: Path
    stop_command: str


class EmbeddedServer:
    """A server that lives as long as its context.

    No login needs a password. Without TCP only the server's operating-system user and root can connect; with TCP
    everyone on this machine can, even as superuser. While it is not running, its folder, its process and whatever
    needs them raise DatabaseError.

    Attributes:
        bindir: The folder of its programs.
        version: Their version, such as "15.4" or "18beta1".
        port: The port of the socket, and of TCP.
        tcp: Whether it also listens on 127.0.0.1.
    """

    def __init__(
        self,
        bindir: Path | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        tcp: bool = False,
        port: int | None = None,
    ) -> None:
        """Choose programs and user, without starting or writing anything.

        Args:
            bindir: The folder of PostgreSQL's programs, or None to search.
            settings: Server settings by name; they win over `THROWAWAY`.
            tcp: Whether to listen on 127.0.0.1 too.
            port: The port; None takes 5432, or a free one for TCP.

        Raises:
            DatabaseError: There is no usable program, or no user to run it for root.
        """
        self.bindir = find_binaries(bindir)
        self.version = read_version(self.bindir) or ""
        self.tcp = tcp
        self.port = port or (choose_port() if tcp else DEFAULT_PORT)
        self._settings = {**THROWAWAY, **(settings or {})}
        self._account = choose_account()
        self._env = dict(ENVIRONMENT)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """The private folder: the data, the log and the socket."""
        if self._folder is None:
            raise DatabaseError("The private server is not running.")
        return self._folder

    @property
    def host(self) -> str:
        """The folder of its socket, as libpq's `host` takes it."""
        return str(self.folder)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        """The process of the postmaster."""
        if self._process is None:
            raise DatabaseError("The private server is not running.")
        return self._process.pid

    def dsn(self, dbname: str = "postgres", user: str = SUPERUSER, **extra: str | int | None) -> str:
        """Return the connection string of a database on this server.

        Args:
            dbname: The database.
            user: The login.
            extra: More parameters of libpq; `host="127.0.0.1"` uses TCP.
        """
        parameters: dict[str, str | int | None] = {"host": self.host, "port": self.port, **extra}
        return make_conninfo("", dbname=dbname, user=user, **parameters)

    def start(self) -> None:
        """Create the folder and the data directory, start the server and wait until it answers.

        Raises:
            DatabaseError: A step failed; nothing is left behind.
        """
        if self._folder is not None:
            raise DatabaseError("The private server is running already.")
        try:
            self._folder = make_folder(self._account, self._env)
            self._env["HOME"] = str(self._folder)
            self._make_programs_executable()
            self._make_data()
            self._launch()
            self._wait_until_ready()
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise DatabaseError(f"The private server cannot be set up: {error}.") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and delete its folder; without effect when it is not running."""
        process, folder = self._process, self._folder
        try:
            if process is not None:
                end_process(process)
        finally:
            self._process = self._folder = None
            if folder is not None:
                remove_folder(folder)

    def require_passwords(self, logins: Iterable[str]) -> None:
        """Require a password from these logins, once the configuration is loaded again."""
        rules = self.data / "pg_hba.conf"
        lines = [f"local all {login} scram-sha-256" for login in logins]
        rules.write_text("\n".join([*lines, rules.read_text("utf-8")]), "utf-8")

    def detach(self) -> DetachedServer:
        """Leave the server running after this process; the context then ends without stopping it."""
        folder, lock = (shlex.quote(str(path)) for path in (self.folder, self.data / "postmaster.pid"))
        stop = f"kill -INT {self.pid} && while test -e {lock}; do sleep 0.1; done && rm -r {folder}"
        detached = DetachedServer(self.pid, self.folder, self.log, stop)
        if self._process is not None:
            self._process.returncode = 0  # else Popen warns about a child that nobody waits for
        self._process = self._folder = None
        return detached

    def _make_programs_executable(self) -> None:
        """Copy the installation into the folder if the server's user cannot run it where it is."""
        programs = (self.bindir / "postgres", self.bindir / "initdb")
        if not all(self._account.can_run(program, self.folder, self._env) for program in programs):
            copy = self.folder / "programs"
            self.bindir = copy_installation(self.bindir, copy)
            self._env["LD_LIBRARY_PATH"] = str(self.bindir.parent / "lib")
            self._account.own(copy)

    def _make_data(self) -> None:
        """Create the data directory, with the first locale that this machine has."""
        initdb: tuple[str | Path, ...] = (self.bindir / "initdb", "-D", self.data, "-U", SUPERUSER)
        for locale in LOCALES:
            self._run([*initdb, "--auth=trust", "--no-sync", "--encoding=UTF8", f"--locale={locale}"])
            failed = self._process is not None and self._process.wait(START_SECONDS) != 0
            self._process = None
            if not failed:
                return
            if "invalid locale" not in self._log_end():
                break
        raise DatabaseError(f"initdb failed:\n{self._log_end()}")

    def _launch(self) -> None:
        """Start the server as a direct child, so that no process of somebody else is ended."""
        addresses = LOOPBACK if self.tcp else ""
        settings = {"listen_addresses": addresses, "unix_socket_directories": self.host, **self._settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._run([self.bindir / "postgres", "-D", self.data, "-p", str(self.port), *options])

    def _wait_until_ready(self) -> None:
        """Wait until the server accepts connections."""
        dsn = self.dsn(connect_timeout=5).encode()
        limit = time.monotonic() + START_SECONDS
        while self._process is not None and self._process.poll() is None and time.monotonic() < limit:
            if PGconn.ping(dsn) == Ping.OK:
                return
            time.sleep(POLL_SECONDS)
        raise DatabaseError(f"PostgreSQL {self.version} did not start:\n{self._log_end()}")

    def _run(self, command: Sequence[str | Path]) -> None:
        """Start a program whose output goes to the log."""
        with self.log.open("ab") as log:
            self._process = self._account.run(command, self.folder, self._env, log.fileno())

    def _log_end(self) -> str:
        """Read the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])
