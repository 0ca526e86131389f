"""`auditctl serve` as a process, and what stands between it and the database."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fixtures.web import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

UNCOMPRESSED = {"accept-encoding": "identity"}
"""Headers for a reader that is slower than the server: a compressed export may fit into the buffers."""

ADDRESS = re.compile(r"The log is at (https?://\S+)/ \(Ctrl-C to stop\)\.")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_sessions(conn: psycopg.Connection[Any], login: str, most: int) -> None:
    """Wait until a login has at most so many sessions: the server ends one a moment after it was closed."""
    count = "select count(*) <= %s from pg_stat_activity where usename = %s"
    wait_until(lambda: conn.execute(count, [most, login]).fetchone() == (True,))


@dataclass
class Serving:
    """A running command.

    Attributes:
        process: The process.
        lines: What it wrote to stderr so far.
    """

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is, once it says so."""
        wait_until(lambda: bool(ADDRESS.search(self.text)) or self.process.poll() is not None)
        found = ADDRESS.search(self.text)
        assert found is not None, self.text
        return found[1]

    @property
    def text(self) -> str:
        """All it wrote to stderr so far."""
        return "".join(self.lines)

    def end(self, number: int) -> int:
        """Send it a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def read(self) -> None:
        """Take what it writes, line by line, until it ends."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)


@contextmanager
def serving(dsn: str, *arguments: str, options: tuple[str, ...] = (), port: int = 0) -> Iterator[Serving]:
    """Run the command for the time of the block."""
    command = [sys.executable, "-m", "auditctl", *options, "serve", "--port", str(port), *arguments]
    environment = {**os.environ, "AUDITCTL_DSN": dsn}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        running = Serving(process)
        reading = threading.Thread(target=running.read)
        reading.start()
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            reading.join()


def browser(url: str, stack: ExitStack, **options: object) -> Client:
    """A browser at an address, closed with the stack."""
    return stack.enter_context(Client(base_url=url, **options))  # type: ignore[arg-type]


class Relay:
    """A port of this machine that leads to a server as soon as it is opened; until then nobody answers there."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = [self._listening]

    def open(self) -> None:
        """Answer from now on."""
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut everything off."""
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(self._to)
            self._open += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side is gone, and so is the other
