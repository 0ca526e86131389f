"""`auditctl maintain`: creates, moves and expires the log's partitions."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import click

from auditctl import durations, metrics
from auditctl.archive import undroppable
from auditctl.archive.expiry import Deletion
from auditctl.cli import expired_files, maintain_service, progress
from auditctl.cli.options import reason_option, table_or_json
from auditctl.cli.printing import print_json, print_text, print_warning
from auditctl.cli.session import ADMIN, READER, Session, pass_session
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.retention import maintain as retention_maintain
from auditctl.retention.maintain import BUSY, SKIP, DueStep, FinishedStep
from auditctl.text import in_quotes

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(weeks=5)
"""How long --every may wait; doctor reports upkeep that was not complete for 35 days."""


def _every(_context: click.Context, _parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    try:
        every = durations.parse_span(value)
    except OverflowError:
        every = None
    if every is None or not SHORTEST <= every <= LONGEST:
        raise click.BadParameter(f"{in_quotes(value)} is not a time from 1m to 5w; write 1d, 12h or 1h30m")
    return every


@click.command(short_help="Make partitions ahead, and delete expired events.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, without doing it.")
@click.option(
    "--every",
    metavar="TIME",
    callback=_every,
    help="Stay, and run again this long after each complete run: 1d, 12h, 1h30m.",
)
@click.option(
    "--index-values/--no-index-values",
    default=None,
    help="Index the recorded values of the months that are over, and of past hours of this one, or drop these indexes. "
    "Default: leave them.",
)
@table_or_json("How to print it.")
@reason_option
@pass_session
def maintain(
    session: Session, *, dry_run: bool, every: timedelta | None, index_values: bool | None, output: str
) -> None:
    """Make partitions ahead, and delete expired events. Run it daily.

    It makes the partitions of the coming months, moves events out of the DEFAULT partition, and deletes expired
    events that no hold covers. It drops the months that auditctl archive has written into files; once all events of
    such a month have expired, it deletes the files, if it reaches them from here. Each step is recorded in the log,
    and is one transaction, except for the index of the current month. It may be stopped at any point and run again.
    No writer waits for it longer than a moment: a partition that a long transaction is using is left to the next
    run, and when all others are done the exit code is 5. If another maintain is running, it leaves the rest to that
    one.

    With --index-values, filters on recorded values, on the context and on the reason find rare events of a month that
    is over at once. The indexes take about a third of the month's size, and remain until --no-index-values. While
    they are built, only what writes to that month waits, such as import-log. The current month gets such an index of
    its past hours, made anew when 50,000 events have come since, and no writer waits for it. It takes a superuser, or
    where none installed, the login that did; others index the month when it is over.

    With --every it stays as a service until Ctrl-C or SIGTERM, which end it with exit code 0 at any point. It runs
    again when that time has passed since the last complete run, and says when. Errors are reported and do not end
    it: it tries again after 10 minutes. A second one beside it waits, and takes over when the first has ended.

    \b
    Examples:
      auditctl maintain --dry-run
      auditctl maintain
      auditctl maintain --every 1d
      auditctl --quiet maintain --format json
    """
    if dry_run and every is not None:
        raise click.UsageError("--dry-run and --every exclude each other")
    if dry_run:
        with session.connect(READER) as conn:
            kept = _undroppable(conn)
            _print_due(session, retention_maintain.due(conn, index_values=index_values, kept_months=kept), output)
    elif every is None:
        _run(session, output, index_values)
    else:
        maintain_service.repeat(session, every, lambda: _run(session, output, index_values))


def _run(session: Session, output: str, index_values: bool | None) -> bool:
    """Do all upkeep, and print it; return whether nothing remains, which False leaves to another session."""
    whole: list[FinishedStep] = []
    deleted: list[Deletion] = []
    try:
        with session.connect(ADMIN) as conn, progress.counter(session, "events moved") as show:
            kept = _undroppable(conn)
            for done in retention_maintain.run(conn, index_values=index_values, kept_months=kept):
                if done.is_whole:
                    whole.append(done)
                    _print_step(session, done, output)
                else:
                    show(done.data.get("events", 0), "")
            if not any(done.step == BUSY for done in whole):
                deleted = expired_files.delete(session, conn, print_text if output == "table" else session.say)
            if not any(done.step == BUSY for done in whole):
                metrics.record_run(conn, "maintain", sum(bool(done.obstacle) for done in whole))
    finally:
        steps = [done.data for done in whole if done.step not in (BUSY, SKIP)] + [one.data for one in deleted]
        if output == "json":
            print_json(steps)
    if obstacles := [done.obstacle for done in whole if done.obstacle]:
        raise DatabaseError(
            "; ".join(dict.fromkeys(obstacles)),
            hint="Nothing was lost, nobody waits, and everything else is done. Run auditctl maintain again when that "
            "transaction has ended.",
        )
    if not whole and not deleted:
        session.say("Nothing to do.")
    return not any(done.step == BUSY for done in whole)


def _undroppable(conn: Connection) -> list[str]:
    """Return the archived months that must stay, and warn of them."""
    problems = undroppable.find(conn)
    for month, problem in sorted(problems.items()):
        print_warning(f"{month} was archived, and stays in the database: {problem}")
    return sorted(problems)


def _print_step(session: Session, done: FinishedStep, output: str) -> None:
    if done.step == BUSY:
        by = done.data.get("by")
        session.say(f"Another maintain is running and does the rest{f': {by}' if by else ''}.")
    elif done.step == SKIP and not done.obstacle:
        session.say(done.sentence)
    elif output == "table" and done.step != SKIP:
        print_text(done.sentence)


def _print_due(session: Session, due: tuple[DueStep, ...], output: str) -> None:
    if output == "json":
        print_json([dataclasses.asdict(one) for one in due])
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    cells = [[one.step, one.partition, f"{one.dropped:,}", f"{one.kept:,}", one.reason] for one in due]
    print_table(["Step", "Partition", "Deleted", "Kept", "Reason"], cells)
    if not due:
        session.say("Nothing to do.")
