"""Repeats upkeep for `auditctl maintain --every`: reports errors and goes on, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from auditctl.cli.printing import print_message, print_warning
from auditctl.cli.session import ADMIN, Session
from auditctl.errors import AuditctlError
from auditctl.retention import maintain
from auditctl.text import iso_utc

RETRY = timedelta(minutes=10)
"""How long after an error it tries again, at most; so that a restart of the server costs no day."""

BUSY_SECONDS = 15.0
"""How long it waits for another maintain before it looks again."""

LONGEST_SLEEP = 300.0
"""How long it sleeps at most, so that a changed clock or another run is noticed."""


def repeat(session: Session, every: timedelta, run: Callable[[], bool]) -> None:
    """Run upkeep whenever it is due, until SIGINT or SIGTERM, which is the regular end.

    A run is due that long after the last complete one, whoever made it: of several services in a database one does the
    work, and the others wait for their turn.

    Args:
        session: The options before the command.
        every: How long after a complete run the next one is due.
        run: Does all upkeep; returns whether nothing remains. False means that another session is doing it.

    Raises:
        Nothing: errors are reported, and it is tried again after `RETRY` or `every`, whichever is shorter.
    """
    announced = ""
    try:
        while True:
            seconds, is_error = _attempt(session, every, run)
            at = iso_utc((datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0))
            word = "Next attempt" if is_error else "Next run"
            # The clocks of server and client differ by parts of a second.
            if seconds > BUSY_SECONDS and at[:16] != announced[:16]:
                session.say(f"{word}: {at}")
                announced = at
            time.sleep(min(seconds, LONGEST_SLEEP))
    except KeyboardInterrupt:
        session.say("Stopped.")


def _attempt(session: Session, every: timedelta, run: Callable[[], bool]) -> tuple[float, bool]:
    """Run upkeep if it is due; return how many seconds to wait, and whether there was an error."""
    try:
        with session.connect(ADMIN) as conn:
            seconds = maintain.seconds_until_due(conn, every)
        if seconds > 0:
            return seconds, False
        if not run():
            return BUSY_SECONDS, False
        with session.connect(ADMIN) as conn:
            return maintain.seconds_until_due(conn, every), False
    except AuditctlError as error:
        print_warning(str(error))
        if error.hint:
            print_message(f"hint: {error.hint}")
        return min(RETRY, every).total_seconds(), True
