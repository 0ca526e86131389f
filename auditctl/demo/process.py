"""Runs a private server on the operating system: chooses its user, folder and port, and starts and ends its process.

Never creates a user, and never signals a process that it did not start.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from auditctl.errors import DatabaseError
from auditctl.names import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNPRIVILEGED: Final = ("postgres", "nobody")
"""Who runs the server for root, best first: PostgreSQL refuses to run as root."""

PROBE_SECONDS: Final = 30
"""Seconds that a program may take to print its version, or a shell to enter a folder."""

SHORT_FOLDER: Final = Path("/tmp")  # noqa: S108 - mkdtemp makes a folder of its own there, mode 0700
"""Where the folder goes when the temp folder's path is too long, or closed to the server's user."""

SOCKET_NAME: Final = ".s.PGSQL.65535.lock"
"""The longest name that PostgreSQL gives a file next to its socket."""

PATH_BYTES: Final = 103
"""The longest path of a Unix socket, without its final zero: 107 on Linux, 103 on macOS."""

SHUTDOWN: Final = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
"""The signals that stop a server, and the seconds to wait after each: fast, immediate, killed."""

REMOVE_ATTEMPTS: Final = 20
REMOVE_PAUSE: Final = 0.1
"""Seconds between two attempts to remove a folder into which a dying process still writes."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user that runs the server.

    Attributes:
        user: The user's number, or None for the user who runs this process.
        group: The number of the user's group, or None likewise.
    """

    user: int | None = None
    group: int | None = None

    def own(self, path: Path) -> None:
        """Give a folder and all its contents to the user.

        Raises:
            OSError: The system refused.
        """
        if self.user is None or self.group is None:
            return
        os.chown(path, self.user, self.group)
        for parent, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(parent, name), self.user, self.group, follow_symlinks=False)

    def run(
        self, command: Sequence[str | Path], folder: Path, env: Mapping[str, str], log: int
    ) -> subprocess.Popen[bytes]:
        """Start a program as the user, in a session of its own, so that Ctrl-C in the terminal does not reach it.

        Args:
            command: The program and its arguments.
            folder: Where it runs.
            env: Its whole environment.
            log: The open file for its output and messages.

        Raises:
            OSError: The program cannot be executed, the folder cannot be entered, or this process may not become
                the user.
        """
        return subprocess.Popen(  # noqa: S603 - PostgreSQL's own programs, no shell
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )

    def can_run(self, program: Path, folder: Path, env: Mapping[str, str]) -> bool:
        """Return whether the user can enter a folder and run a program with `--version` there.

        Raises:
            OSError: Something other than a permission is missing.
        """
        try:
            return self._succeeds([program, "--version"], folder, env)
        except PermissionError:
            return False

    def can_enter(self, folder: Path, env: Mapping[str, str]) -> bool:
        """Return whether the user can enter a folder by its whole path, and write into it.

        Raises:
            OSError: This process may not become the user.
        """
        # Popen changes to the folder while still root: only the shell's own `cd` proves anything.
        return self._succeeds(["/bin/sh", "-c", 'cd "$0" && test -w .', str(folder)], folder, env)

    def _succeeds(self, command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> bool:
        """Run a short program as the user, without its output; return whether it reported success."""
        process = self.run(command, folder, env, subprocess.DEVNULL)
        try:
            return process.wait(PROBE_SECONDS) == 0
        except BaseException:
            process.kill()
            process.wait()
            raise


def choose_account() -> Account:
    """Choose who runs a server: the current user, or for root the first of `UNPRIVILEGED` that exists.

    Raises:
        DatabaseError: The current user is root, and the machine has none of these users.
    """
    if os.geteuid() != 0:
        return Account()
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise DatabaseError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)}.",
        hint="Run this as an ordinary user.",
    )


def make_folder(account: Account, env: Mapping[str, str]) -> Path:
    """Make a private folder that the account can enter and in which a socket's path is short enough.

    A path with a comma is not usable: PostgreSQL and libpq would read it as two.

    Returns:
        A new folder, mode 0700: in the temp folder, else in `SHORT_FOLDER`.

    Raises:
        OSError: The folder cannot be made or given away.
        DatabaseError: The account can enter neither place.
    """
    places = (Path(tempfile.gettempdir()), SHORT_FOLDER)
    for place in places:
        folder = Path(tempfile.mkdtemp(prefix="auditctl-", dir=place))
        usable = False
        try:
            account.own(folder)
            path = bytes(folder / SOCKET_NAME)
            usable = len(path) <= PATH_BYTES and b"," not in path and account.can_enter(folder, env)
        finally:
            if not usable:
                remove_folder(folder)
        if usable:
            return folder
    raise DatabaseError(
        f"The user who runs the server cannot use a folder in {' or '.join(map(str, places))}.",
        hint="Set TMPDIR to a short path that every user can enter.",
    )


def remove_folder(folder: Path) -> None:
    """Remove a folder and its contents, if it exists, even while a dying process still writes into it.

    Raises:
        OSError: Something in it cannot be removed.
    """
    for attempt in range(1, REMOVE_ATTEMPTS + 1):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            if not folder.exists():
                return
        except OSError:
            if attempt == REMOVE_ATTEMPTS:
                raise
        else:
            return
        time.sleep(REMOVE_PAUSE)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Stop a server's first process, with ever stronger signals, and wait until it has ended.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed meanwhile; the process has been killed.
    """
    try:
        for number, seconds in SHUTDOWN:
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return
    except BaseException:
        process.kill()
        process.wait()
        raise


def choose_port() -> int:
    """Choose a TCP port of the loopback interface that is free now.

    Raises:
        OSError: The machine has no loopback interface, or no free port.
    """
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
