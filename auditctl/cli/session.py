"""The context of a command: the connection, messages and colors.

Data goes to stdout, messages to stderr. This is the only place that reads the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from auditctl import database, reason, revision
from auditctl.cli.printing import print_message
from auditctl.database import Connection

READER = "Ask the DBA for: auditctl grant reader {login}"
"""What to do where the login may not read the log or the rules."""

ADMIN = "Ask the DBA for: auditctl grant admin {login}"
"""What to do where the login may not do upkeep, hold events or import reads."""

INSTALLER = database.INSTALLER
"""What to do where the login may not change what is audited."""


@dataclass(frozen=True, slots=True)
class Session:
    """The options before the command, and the reason of what it changes.

    Attributes:
        dsn: The database.
        quiet: Whether to print errors alone.
        debug: Whether to print tracebacks.
        reason: Why the command changes something; recorded with each event. None for no reason.
    """

    dsn: str
    quiet: bool = False
    debug: bool = False
    reason: str | None = None

    @contextmanager
    def connect(
        self, denied: str = "", *, is_examined: bool = False, require: Callable[[Connection], None] = revision.require
    ) -> Iterator[Connection]:
        """Connect to a database that has the store, with the arguments of `database.connect_store`."""
        with (
            database.connect_store(self.dsn, denied=denied, is_examined=is_examined, require=require) as conn,
            reason.stated(conn, self.reason),
        ):
            yield conn

    def say(self, message: str) -> None:
        """Print a message to stderr, unless --quiet."""
        if not self.quiet:
            print_message(message)

    @property
    def shows_progress(self) -> bool:
        """Whether long work may draw on stderr: only on a terminal."""
        return not self.quiet and sys.stderr.isatty()


def pass_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Hand the `Session` to a command as its first argument."""
    return click.make_pass_decorator(Session)(command)
