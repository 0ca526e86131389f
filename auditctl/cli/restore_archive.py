"""`auditctl restore-archive`: brings an archived month back into the database."""

from __future__ import annotations

import click

from auditctl import place
from auditctl.archive import extra, layout
from auditctl.cli import progress
from auditctl.cli.known_values import ARCHIVED_MONTHS, FOLDERS, complete
from auditctl.cli.options import reason_option
from auditctl.cli.printing import print_text
from auditctl.cli.session import INSTALLER, Session, pass_session
from auditctl.text import in_quotes, plural


def _month(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not layout.is_month(value):
        raise click.BadParameter(f"{in_quotes(value)} is not a month; write 2026-05")
    return value


@click.command(short_help="Bring an archived month back into the database.")
@click.argument("month", metavar="MONTH", callback=_month, shell_complete=complete(ARCHIVED_MONTHS))
@click.option(
    "--from",
    "path",
    metavar="PATH",
    shell_complete=complete(FOLDERS),
    help="The archive. Default: where the month was archived, or where [archive] in the file says that archives are.",
)
@reason_option
@pass_session
def restore_archive(session: Session, *, month: str, path: str | None) -> None:
    """Bring a month that maintain has dropped back into the database, as it was: the same numbers, times and values.

    MONTH is written as 2026-05. The files must be those that the log recorded, and what was restored is compared with
    what was archived. The events of auditctl itself never left the database, and stay as they are there. All of it is
    one transaction, for which no writer waits. It takes a superuser, or without the coverage guard a login that may act
    as auditctl_owner: nobody else may insert events.

    The files stay. The month stays in the database until auditctl archive --include-restored, or until its events
    expire.

    \b
    Examples:
      auditctl restore-archive 2026-05
      auditctl restore-archive 2026-05 --from /mnt/copy/archive
    """
    with extra.required():
        from auditctl.archive import files, restorer  # pyarrow is slow to load, and may be missing

    with session.connect(INSTALLER) as conn:
        place.require(conn)
        record = restorer.find(conn, month)
        archive = files.at(path) if path else restorer.place(conn, record)
        with progress.bar(session, f"restoring {month}") as show:
            restored = restorer.restore(conn, archive, record, show)
    print_text(f"{month}: {plural(restored.rows, 'event')} restored from {archive.name}.")
    if not restored.has_same_hot_events:
        session.say(
            "Of auditctl itself, the database does not have the same events as the archive: they may have expired. They"
            " stay as they are. To compare them with what was sealed: auditctl verify --everywhere"
        )
