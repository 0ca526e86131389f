"""`auditctl maintain`: creates, moves and expires the log's partitions."""

from __future__ import annotations

import dataclasses
import json

import click

from auditctl.cli import progress
from auditctl.cli.options import table_or_json
from auditctl.cli.session import ADMIN, READER, Session, pass_session
from auditctl.retention import maintain as retention_maintain
from auditctl.retention.maintain import BUSY, DueStep, FinishedStep


@click.command(short_help="Make partitions ahead, and delete expired events.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, without doing it.")
@table_or_json("How to print it.")
@pass_session
def maintain(session: Session, dry_run: bool, output: str) -> None:
    """Make partitions ahead, and delete expired events. Run it daily.

    It makes the partitions of the coming months, moves events out of the DEFAULT partition, and deletes expired
    events that no hold covers. Each step is one transaction, and recorded in the log. It may be stopped at any point
    and run again. No writer waits for it longer than a moment: if a long transaction is in the way, it gives up with
    exit code 5. If another maintain is running, it leaves the rest to that one.

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
                if not done.is_whole:
                    show(done.data.get("events", 0), "")
                else:
                    whole.append(done)
                    if output == "table" and done.step != BUSY:
                        click.echo(done.sentence)
    finally:
        steps = [done.data for done in whole if done.step != BUSY]
        if output == "json":
            click.echo(json.dumps(steps, ensure_ascii=False, indent=2))
    if whole and whole[-1].step == BUSY:
        session.say("Another maintain is running and does the rest.")
    elif not steps:
        session.say("Nothing to do.")


def _print_due(session: Session, due: tuple[DueStep, ...], output: str) -> None:
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(one) for one in due], ensure_ascii=False, indent=2))
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    cells = [[one.step, one.partition, f"{one.dropped:,}", f"{one.kept:,}", one.reason] for one in due]
    print_table(["Step", "Partition", "Deleted", "Kept", "Reason"], cells)
    if not due:
        session.say("Nothing to do.")
