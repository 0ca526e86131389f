"""`auditctl hold add`, `hold list` and `hold release`: legal holds."""

from __future__ import annotations

import dataclasses
import sys

import click

from auditctl.cli.known_values import HOLDS, TARGETS, complete
from auditctl.cli.options import confirm, keep_reason, table_or_json
from auditctl.cli.printing import print_json
from auditctl.cli.session import ADMIN, READER, Session, pass_session
from auditctl.database import Connection
from auditctl.errors import ConfigurationError
from auditctl.log import keys
from auditctl.log.filter_values import require_storable
from auditctl.retention import holds
from auditctl.text import in_quotes, iso_utc, plural


@click.group(short_help="Keep events for a legal case, regardless of retention.")
def hold() -> None:
    """Keep events for a legal case, regardless of retention.

    Events under a hold are not deleted by maintain, nor in the seven days after a maintain first saw its release. Of an
    archived month with events of the target, all files stay, also for a hold on one object.

    \b
    Examples:
      auditctl hold add billing.customer --id 7 --reason 'case 2026-31'
      auditctl hold list
      auditctl hold release 1 --reason 'case closed'
    """


@hold.command(short_help="Place a hold.")
@click.argument("target", shell_complete=complete(TARGETS))
@click.option("--id", "target_id", metavar="ID", help="One object's events: its whole history. Default: all.")
@click.option(
    "--reason",
    metavar="TEXT",
    required=True,
    callback=keep_reason,
    help="What it is for, such as the number of the case.",
)
@click.option("--yes", "-y", is_flag=True, help="Place it even if it keeps no events yet.")
@pass_session
def add(session: Session, target: str, target_id: str | None, reason: str, yes: bool) -> None:
    """Place a hold on TARGET: a table, its label, a business event's target, or a glob in quotes.

    It covers every name that the table had or will have, and every key of an object. It tells how many events it keeps
    now, and the files of how many archived months. If it keeps none, it asks on a terminal, and otherwise ends with
    exit code 4; --yes places it for events that are still to come.
    """
    with session.connect(ADMIN) as conn:
        name = holds.resolve_target(conn, target)
        if target_id is not None:
            require_storable("id", target_id, may_be_empty=True)
            keys.find(conn, target_id, [name])
        events, months = holds.count(conn, name, target_id), holds.count_archives(conn, name)
        if (
            not (events or months)
            and not yes
            and not _confirm(session, _nothing(name, target_id), _near(conn, name, target_id))
        ):
            session.say("No hold was placed.")
            return
        number = holds.add(conn, name, target_id, reason)
    most = "at least " if events == holds.MOST_COUNTED else ""
    files = f", and the files of {plural(months, 'archived month')} with events of {name}" if months else ""
    session.say(f"Placed hold {number}: it keeps {most}{plural(events, 'event')} now{files}.")


@hold.command(name="list", short_help="List the holds.")
@click.option("--all", "everything", is_flag=True, help="Include released holds.")
@table_or_json("How to print them.")
@pass_session
def list_holds(session: Session, everything: bool, output: str) -> None:
    """List the holds in force, oldest first."""
    with session.connect(READER) as conn:
        hold_list = holds.read(conn, released=everything)
    if output == "json":
        rows = [dataclasses.asdict(one) for one in hold_list]
        print_json(rows, default=iso_utc)
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    header = ["Hold", "Target", "ID", "Reason", "Placed by", "Placed"]
    cells = [
        [str(one.hold_id), one.target, _object(one), one.reason, one.placed_by, f"{one.placed_at:%Y-%m-%d}"]
        for one in hold_list
    ]
    if everything:
        header += ["Released", "Why"]
        for row, one in zip(cells, hold_list, strict=True):
            row += [f"{one.released_at:%Y-%m-%d}" if one.released_at else "", one.release_reason or ""]
    print_table(header, cells)
    if not hold_list:
        session.say("There are no holds.")


@hold.command(short_help="Release a hold.")
@click.argument("hold_id", metavar="HOLD_ID", type=click.IntRange(1, 2**63 - 1), shell_complete=complete(HOLDS))
@click.option(
    "--reason", metavar="TEXT", required=True, callback=keep_reason, help="Why the events are no longer needed."
)
@pass_session
def release(session: Session, hold_id: int, reason: str) -> None:
    """Release a hold. Seven days after the next maintain, its events are deleted if their time is over."""
    with session.connect(ADMIN) as conn:
        holds.release(conn, hold_id, reason)
    session.say(f"Released hold {hold_id}.")


def _nothing(target: str, target_id: str | None) -> str:
    what = target if target_id is None else f"{target} with the key {in_quotes(target_id)}"
    return f"the log has no events of {what}: a hold would keep nothing"


def _near(conn: Connection, target: str, target_id: str | None) -> str:
    return "" if target_id is None else keys.suggest(conn, target_id, [target])


def _confirm(session: Session, nothing: str, near: str) -> bool:
    """Ask whether to place a hold that keeps nothing; without a terminal refuse it."""
    if not sys.stdin.isatty():
        raise ConfigurationError([nothing], hint=near or "To hold events that are still to come, add --yes.")
    session.say(f"warning: {nothing}{' yet' if not near else ''}.")
    if near:
        session.say(f"hint: {near}")
    return confirm("Place it for events that are still to come?")


def _object(one: holds.Hold) -> str:
    return "(all)" if one.target_id is None else one.target_id
