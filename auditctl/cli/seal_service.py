"""Repeats sealing for `auditctl seal --every`: reports errors and goes on, until a signal ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import click

from auditctl import durations, metrics
from auditctl.cli.printing import print_message, print_warning
from auditctl.cli.session import Session
from auditctl.errors import AuditctlError
from auditctl.evidence.sealer import Sealer, SealingBusy
from auditctl.text import in_quotes

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=1)
"""How long --every may wait."""

RETRY_SECONDS = 30.0
"""How long after an error it tries again, at most."""

SHARE = 2
"""It works at most one of so many seconds."""

RECORD_SECONDS = 60.0
"""How often a service notes for monitoring that it runs, at most."""


def parse_every(_context: click.Context, _parameter: click.Parameter, value: str | None) -> timedelta | None:
    """Parse the option --every."""
    if value is None:
        return None
    pair = durations.parse(value, {"s"})
    try:
        every = timedelta(seconds=pair[0]) if pair else durations.parse_span(value)
    except OverflowError:
        every = None
    if every is None or not SHORTEST <= every <= LONGEST:
        raise click.BadParameter(f"{in_quotes(value)} is not a time from 1s to 1d; write 30s, 5m or 1h")
    return every


def repeat(
    session: Session,
    every: timedelta,
    connect: Callable[[], AbstractContextManager[Sealer]],
    run: Callable[[Sealer], None],
) -> None:
    """Seal time and again, until SIGINT or SIGTERM, which is the regular end.

    Args:
        session: The options before the command.
        every: How often.
        connect: Opens the connections, which serve until an error.
        run: Seals what there is.

    Raises:
        Nothing: errors are reported, and it connects again after `RETRY_SECONDS` or `every`, whichever is shorter.
    """
    reported, recorded = "", -RECORD_SECONDS
    try:
        while True:
            try:
                with connect() as sealer:
                    while True:
                        started = time.monotonic()
                        run(sealer)
                        reported = ""
                        if started - recorded >= RECORD_SECONDS:
                            recorded = started
                            metrics.record_run(sealer.writer, "seal", 0)
                        seconds = time.monotonic() - started
                        time.sleep(max(every.total_seconds() - seconds, seconds * (SHARE - 1)))
            except AuditctlError as error:
                if str(error) != reported:
                    reported = str(error)
                    _report(session, error)
                time.sleep(min(RETRY_SECONDS, every.total_seconds()))
    except KeyboardInterrupt:
        session.say("Stopped.")


def _report(session: Session, error: AuditctlError) -> None:
    if isinstance(error, SealingBusy):
        session.say(f"{str(error).capitalize()}. This one waits.")
        return
    print_warning(str(error))
    if error.hint:
        print_message(f"hint: {error.hint}")
