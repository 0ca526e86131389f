"""`auditctl checkpoint`: copies the newest checkpoint to where the holder of the database cannot change it."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import click

from auditctl import database, display, metrics, place
from auditctl.cli.known_values import FILES, complete
from auditctl.cli.printing import standard_output
from auditctl.cli.session import READER, Session, pass_session
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.evidence import anchor, timestamps
from auditctl.output import STANDARD


@click.command(short_help="Copy the newest checkpoint to another place.")
@click.option(
    "--output",
    "path",
    metavar="PATH",
    shell_complete=complete(FILES),
    help="A folder, which gets a new file (end it with / to make it); or a file, which is replaced; - for standard "
    "output.",
)
@click.option("--to-dsn", metavar="DSN", help="Another database, where it is added to auditctl_anchor.checkpoint.")
@click.option("--timestamp", "authority", metavar="URL", help="Get a timestamp by RFC 3161 from this authority, too.")
@pass_session
def checkpoint(session: Session, path: str | None, to_dsn: str | None, authority: str | None) -> None:  # fmt: skip
    """Copy the newest checkpoint to another place, where it anchors the log.

    Who can change the database and has the key can seal another history, but not one that fits an anchor. Choose a
    place that neither the administrators of the database nor those of the sealer can change, and run this after
    sealing, such as daily. What is there already is not written again.

    If the log is not an extension of the newest anchor there, the exit code is 3, and nothing is written.

    With --timestamp, the response of the authority is stored beside it: as PATH.tsr, or in the same row.

    \b
    Examples:
      auditctl checkpoint --output /mnt/anchors
      auditctl checkpoint --to-dsn service=anchors
      auditctl checkpoint --output - | mail -s checkpoint auditor@example.com
    """
    if (path is None) == (to_dsn is None):
        raise UsageError("name one place", hint="Either --output PATH or --to-dsn DSN.")
    if authority is not None and path == STANDARD:
        raise UsageError(
            "--timestamp takes a file, a folder or --to-dsn", hint="Standard output is for the checkpoint."
        )
    stamp = None
    if authority is not None:
        timestamps.require_library()
        stamp = functools.partial(timestamps.request, authority)
    with session.connect(READER) as conn:
        place.require(conn)
        _write(session, conn, path, to_dsn, stamp)
        if path != STANDARD:
            metrics.record_run(conn, "checkpoint", 0)


def _write(
    session: Session, conn: Connection, path: str | None, to_dsn: str | None, stamp: anchor.Stamp | None
) -> None:
    if path == STANDARD:
        anchor.print_newest(conn, standard_output(display.harmless_lines))
        return
    if path is not None:
        file, is_new = anchor.write_file(conn, Path(path), stamp, is_folder=path.endswith(os.sep))
        where = str(file)
    else:
        with database.connect(to_dsn or "") as other:
            made, is_new = anchor.add_row(conn, other, stamp)
        where = f"auditctl_anchor.checkpoint, tree of {made.size:,} leaves"
    session.say(f"{'Anchored in' if is_new else 'The newest checkpoint is there already:'} {where}")
