"""`auditctl checkpoint`: copies the newest checkpoint to where the holder of the database cannot change it."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import click

from auditctl import database, display, metrics, place
from auditctl.cli.known_values import FILES, complete
from auditctl.cli.printing import print_warning, standard_output
from auditctl.cli.session import ADMIN, READER, Session, pass_session
from auditctl.cli.verify import policy_option, read_policy, read_text
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.evidence import anchor, cosignatures, timestamps
from auditctl.evidence import tiles as tree_tiles
from auditctl.evidence.policy import from_keys
from auditctl.output import STANDARD
from auditctl.text import plural


@click.command(short_help="Copy the newest checkpoint to another place.")
@click.option(
    "--output",
    "path",
    metavar="PATH",
    shell_complete=complete(FILES),
    help="A folder, which gets a new file (end it with / to make it); or a file, which is replaced; - for standard "
    "output.",
)
@click.option(
    "--tiles",
    is_flag=True,
    help="Write the hashes of the tree, too, to the folder PATH, as c2sp.org/tlog-tiles has them.",
)
@click.option("--to-dsn", metavar="DSN", help="Another database, where it is added to auditctl_anchor.checkpoint.")
@click.option(
    "--cosigned",
    metavar="FILE",
    type=click.Path(path_type=Path),
    shell_complete=complete(FILES),
    help="A checkpoint that witnesses signed: store their signatures with that of the log. With --policy.",
)
@policy_option
@click.option("--timestamp", "authority", metavar="URL", help="Get a timestamp by RFC 3161 from this authority, too.")
@pass_session
def checkpoint(
    session: Session, *, path: str | None, tiles: bool, to_dsn: str | None, cosigned: Path | None,
    policy_file: Path | None, authority: str | None,
) -> None:  # fmt: skip
    """Copy the newest checkpoint to another place, where it anchors the log.

    Who can change the database and has the key can seal another history, but not one that fits an anchor. Choose a
    place that neither the administrators of the database nor those of the sealer can change, and run this after
    sealing, such as daily. What is there already is not written again.

    If the log is not an extension of the newest anchor there, the exit code is 3, and nothing is written.

    With --tiles, the folder gets the whole tree for other tools: a file named checkpoint, and tiles of 256 hashes, each
    once. It has no events; of those that retention deleted it may lack hashes.

    With --cosigned, it takes a checkpoint back that witnesses signed (c2sp.org/tlog-cosignature). It must be one of
    this log, signed by it, and --policy must name the witnesses; verify --policy counts them then. Needs the role
    admin.

    With --timestamp, the response of the authority is stored beside it: as PATH.tsr, or in the same row.

    \b
    Examples:
      auditctl checkpoint --output /mnt/anchors
      auditctl checkpoint --output /srv/www/log --tiles
      auditctl checkpoint --to-dsn service=anchors
      auditctl checkpoint --output - | mail -s checkpoint auditor@example.com
      auditctl checkpoint --cosigned cosigned.txt --policy policy.txt
    """
    _require_place(path, to_dsn, cosigned, policy_file)
    if cosigned is not None:
        _add_cosignatures(session, cosigned, policy_file)
        return
    _require_file(path, authority, tiles=tiles)
    stamp = None
    if authority is not None:
        timestamps.require_library()
        stamp = functools.partial(timestamps.request, authority)
    with session.connect(READER) as conn:
        place.require(conn)
        if tiles:
            _write_tiles(session, conn, Path(path or ""))
        else:
            _write(session, conn, path, to_dsn, stamp)
        if path != STANDARD:
            metrics.record_run(conn, "checkpoint", 0)


def _require_place(path: str | None, to_dsn: str | None, cosigned: Path | None, policy_file: Path | None) -> None:
    if [path, to_dsn, cosigned].count(None) != 2:
        raise UsageError("name one place", hint="One of --output PATH, --to-dsn DSN and --cosigned FILE.")
    if (policy_file is None) != (cosigned is None):
        raise UsageError("--cosigned and --policy belong together", hint="The policy names the log and its witnesses.")


def _require_file(path: str | None, authority: str | None, *, tiles: bool) -> None:
    if tiles and (path in (None, STANDARD) or authority is not None):
        raise UsageError("--tiles takes a folder, without --timestamp", hint="Name one: --output FOLDER --tiles")
    if authority is not None and path == STANDARD:
        raise UsageError(
            "--timestamp takes a file, a folder or --to-dsn", hint="Standard output is for the checkpoint."
        )


def _write_tiles(session: Session, conn: Connection, folder: Path) -> None:
    written = tree_tiles.write(conn, folder)
    session.say(f"{folder} has the tree of {written.checkpoint.size:,} leaves: {plural(written.tiles, 'new tile')}.")
    if written.missing:
        print_warning(
            f"{plural(written.missing, 'tile')} from leaf {written.first_missing or 0:,} on: not written, as retention "
            "deleted events with their hashes; the roots of these subtrees are there"
        )


def _add_cosignatures(session: Session, file: Path, policy_file: Path | None) -> None:
    policy = read_policy(None, policy_file)
    text = read_text(file)
    with session.connect(ADMIN) as conn:
        made, added = cosignatures.add(conn, text, policy or from_keys(()))
    signed = f"now bears the signature of {', '.join(added)}" if added else "bears these signatures already"
    session.say(f"The checkpoint of {plural(made.size, 'leaf', 'leaves')} {signed}.")


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
        where = f"auditctl_anchor.checkpoint, tree of {plural(made.size, 'leaf', 'leaves')}"
    session.say(f"{'Anchored in' if is_new else 'The newest checkpoint is there already:'} {where}")
