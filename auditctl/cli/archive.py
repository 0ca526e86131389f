"""`auditctl archive`: writes months that are over into files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from auditctl import durations, place
from auditctl.archive import closed_months, exclusive, extra, settings
from auditctl.archive.closed_months import ClosedMonth
from auditctl.cli import expired_files, progress
from auditctl.cli.known_values import FOLDERS, complete
from auditctl.cli.options import reason_option, table_or_json
from auditctl.cli.printing import print_json, print_text, print_warning
from auditctl.cli.session import ADMIN, READER, Session, pass_session
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.text import in_quotes, plural, shown_size

if TYPE_CHECKING:
    from auditctl.archive.archiver import ArchivedMonth
    from auditctl.archive.files import Files


def _keep_hot(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    keep = durations.parse_keep(value)
    if keep is None:
        raise UsageError(
            "forever keeps everything in the database", hint="Write days, weeks, months or years: 6 months."
        )
    return keep


def _before(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(f"{value}-01" if len(value) == len("2026-05") else value)
    except ValueError:
        raise click.BadParameter(f"{in_quotes(value)} is not a date; write 2026-05-01, or 2026-05") from None


@click.command(short_help="Write months that are over into files of Parquet.")
@click.option(
    "--to",
    "path",
    metavar="PATH",
    shell_complete=complete(FOLDERS),
    help="The archive: a folder, which need not exist. Default: as [archive] in the file states it, else where a month "
    "was archived last.",
)
@click.option(
    "--keep-hot",
    metavar="TIME",
    callback=_keep_hot,
    help="Leave the months that ended within this time: 6 months, 90 days. Default: as [archive] states it, else none.",
)
@click.option("--before", metavar="DATE", callback=_before, help="Only months that ended before this day began in UTC.")
@click.option("--include-restored", is_flag=True, help="Also the months that restore-archive brought back.")
@click.option("--dry-run", is_flag=True, help="Show which months would be archived, and write nothing.")
@table_or_json("How to print the months.")
@reason_option
@pass_session
def archive(
    session: Session, *, path: str | None, keep_hot: str | None, before: date | None, include_restored: bool,
    dry_run: bool, output: str,
) -> None:  # fmt: skip
    """Write months that are over into files of Parquet, which any engine reads. Then maintain drops them.

    Nothing is lost on the way: the events are read back from the files and compared with the table, byte for byte, and
    the digest of the month's manifest is recorded in the log. Only then, and only if the table still has the very same
    events, does auditctl maintain drop the month. Until then it stays as it is, and the database answers as before.

    It may be stopped or killed at any point and run again: it goes on where it was. It overwrites nothing but what it
    wrote itself for this database. A month that a transaction may still write to is left to the next run, with exit
    code 5.

    \b
    Examples:
      auditctl archive --to /srv/archive --keep-hot '6 months' --dry-run
      auditctl archive --to /srv/archive --keep-hot '6 months'
      auditctl archive
      auditctl maintain
    """
    if keep_hot is not None and before is not None:
        raise click.UsageError("--keep-hot and --before exclude each other")
    with extra.required():
        from auditctl.archive import files  # pyarrow is slow to load, and may be missing

    with session.connect(READER if dry_run else ADMIN) as conn:
        stated = settings.read(conn)
        archived = files.at(path if path is not None else stated.to or _last(conn))
        keep = keep_hot if before is not None else keep_hot or stated.keep_hot
        months = closed_months.read(conn, before=before, keep_hot=keep, include_restored=include_restored)
        if dry_run:
            _print_due(session, conn, archived, months, output)
        else:
            place.require(conn)
            _run(session, conn, archived, months, output)


def _last(conn: Connection) -> str:
    location = settings.last_location(conn)
    if location is None:
        raise UsageError(
            "nothing was archived so far, so --to must say where",
            hint="Name a folder: --to /srv/archive; or state it in the file, as to in [archive].",
        )
    return location


def _run(session: Session, conn: Connection, files: Files, months: Sequence[ClosedMonth], output: str) -> None:
    from auditctl.archive import archiver

    done: list[ArchivedMonth] = []
    try:
        with session.connect(ADMIN) as holder, exclusive.alone(holder):
            expired_files.delete(session, conn, session.say, is_alone=True)
            with progress.bar(session, "archiving") as show:
                worker = archiver.Archiver(conn, files, lambda _what, number, total: show(number, total))
                for archived in worker.run(months):
                    done.append(archived)
                    if output == "table":
                        print_text(_sentence(archived))
    finally:
        if output == "json":
            print_json([dataclasses.asdict(one) for one in done])
    for problem in worker.problems[1:]:
        print_warning(str(problem))
    if worker.problems:
        raise worker.problems[0]
    session.say("hint: To drop archived months from the database: auditctl maintain" if done else "Nothing to archive.")


def _sentence(one: ArchivedMonth) -> str:
    if one.was_complete:
        return f"{one.month}: recorded; its files were complete."
    return f"{one.month}: {plural(one.rows, 'event')} in {plural(one.files, 'file')}, {shown_size(one.bytes)}."


def _print_due(session: Session, conn: Connection, files: Files, months: Sequence[ClosedMonth], output: str) -> None:
    rows = [(month, found) for month in months if (found := _due(conn, files, month)) is not None]
    if output == "json":
        print_json([{"month": month.name, "rows": count, "reason": reason} for month, (count, reason) in rows])
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    cells = [[month.name, f"{count:,}", reason] for month, (count, reason) in rows]
    print_table(["Month", "Events", "Reason"], cells, numbers=["Events"])
    if not rows:
        session.say("Nothing to archive.")


def _due(conn: Connection, files: Files, month: ClosedMonth) -> tuple[int, str] | None:
    """Return how many events would be archived, and why; None if they were."""
    state = closed_months.fingerprint(conn, month.name)
    if state is None:
        return None
    if month.location is None:
        return state[0], "It was not archived."
    if month.is_dropped:
        return state[0], f"Its events came after it was archived and dropped; first: restore-archive {month.name}"
    if state != (month.rows, month.fingerprint):
        return state[0], "It changed since it was archived."
    return None if month.location == files.name else (state[0], f"It was archived elsewhere: {month.location}")
