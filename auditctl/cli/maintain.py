"""`auditctl maintain`: creates, moves and expires the log's partitions."""

from __future__ import annotations

import dataclasses

import click

from auditctl.cli import progress
from auditctl.cli.options import table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import ADMIN, READER, Session, pass_session
from auditctl.errors import DatabaseError
from auditctl.retention import maintain as retention_maintain
from auditctl.retention.maintain import BUSY, SKIP, DueStep, FinishedStep


@click.command(short_help="Make partitions ahead, and delete expired events.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, without doing it.")
@table_or_json("How to print it.")
@pass_session
def maintain(session: Session, dry_run: bool, output: str) -> None:
    """Make partitions ahead, and delete expired events. Run it daily.

    It makes the partitions of the coming months, moves events out of the DEFAULT partition, and deletes expired
    events that no hold covers. Each step is one transaction, and recorded in the log. It may be stopped at any point
    and run again. No writer waits for it longer than a moment: a partition that a long transaction is using is left to
    the next run, and when all others are done the exit code is 5. If another maintain is running, it leaves the rest to
    that one.

    \b
    Examples:
      auditctl maintain --dry-run
      auditctl maintain
      auditctl --quiet maintain --format json
    """
    if dry_run:
        with session.connect(READER) as conn:
            _print_due(session, retention_maintain.due(conn), output)
        return
    whole: list[FinishedStep] = []
    try:
        with session.connect(ADMIN) as conn, progress.counter(session, "events moved") as show:
            for done in retention_maintain.run(conn):
                if done.is_whole:
                    whole.append(done)
                    _print_step(session, done, output)
                else:
                    show(done.data.get("events", 0), "")
    finally:
        steps = [done.data for done in whole if done.step not in (BUSY, SKIP)]
        if output == "json":
            print_json(steps)
    if obstacles := [done.obstacle for done in whole if done.obstacle]:
        raise DatabaseError(
            "; ".join(dict.fromkeys(obstacles)),
            hint="Nothing was lost, nobody waits, and everything else is done. Run auditctl maintain again when that "
            "transaction has ended.",
        )
    if not whole:
        session.say("Nothing to do.")


def _print_step(session: Session, done: FinishedStep, output: str) -> None:
    if done.step == BUSY:
        session.say("Another maintain is running and does the rest.")
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
