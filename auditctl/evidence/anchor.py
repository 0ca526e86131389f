"""Anchors: copies of checkpoints where the holder of the database cannot change them, in a folder or another database.

An anchor is only added to those of the same tree: a tree that is not an extension of the newest anchor has forked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from auditctl import output
from auditctl.database import Connection
from auditctl.errors import OutputError, StoreError, UsageError
from auditctl.evidence import note, stored_tree
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.output import Sink

SUFFIX = ".checkpoint"
"""What the name of a file with a checkpoint ends with."""

TIMESTAMP_SUFFIX = ".tsr"
"""What is added to that name for the file of its timestamp."""

_CREATE = (
    "create schema if not exists auditctl_anchor",
    """
    create table if not exists auditctl_anchor.checkpoint (
        origin text not null,
        tree_size bigint not null,
        note text not null,
        timestamp_response bytea,
        added_by text not null default session_user,
        added_at timestamptz not null default pg_catalog.now(),
        constraint checkpoint_pkey primary key (origin, tree_size)
    )
    """,
    """
    create or replace function auditctl_anchor.refuse_change() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp
    as $auditctl$
    begin
        raise exception '% on %.% refused: anchors are write-once', tg_op, tg_table_schema, tg_table_name
            using errcode = 'UA001';
    end
    $auditctl$
    """,
    """
    create or replace trigger checkpoint_write_once before update or delete or truncate on auditctl_anchor.checkpoint
    for each statement execute function auditctl_anchor.refuse_change()
    """,
    "alter table auditctl_anchor.checkpoint enable always trigger checkpoint_write_once",
)
"""What the first use creates in the other database."""

Stamp = Callable[[bytes], bytes]
"""Returns the response of a timestamp authority for the bytes of a note."""


def newest(conn: Connection) -> tuple[str, Checkpoint]:
    """Return the newest checkpoint that is stored, as the note and what it states.

    Raises:
        StoreError: The log was never sealed.
        EvidenceError: It is not a checkpoint.
    """
    row = conn.execute("select note from auditctl.checkpoint order by tree_size desc limit 1").fetchone()
    if row is None:
        raise StoreError("the log is not sealed", hint="Seal it first: auditctl seal --key FILE")
    return row[0], Checkpoint.parse(note.signatures(row[0])[0])


def is_same_tree(one: str, other: str) -> bool:
    """Whether two notes state the same; one may have more signatures, those of witnesses."""
    return note.signatures(one)[0] == note.signatures(other)[0]


def require_extension(conn: Connection, text: str, current: Checkpoint, where: str) -> None:
    """Make sure that the stored tree is an extension of an anchor.

    Args:
        conn: The connection to the log.
        text: The note of the anchor.
        current: The newest checkpoint of the log.
        where: Where the anchor is, for messages.

    Raises:
        EvidenceError: The tree forked, or the anchor is not a checkpoint of this log.
    """
    anchor = Checkpoint.parse(note.signatures(text)[0])
    if anchor.origin != current.origin:
        raise EvidenceError(
            f"{where} is an anchor of the log {anchor.origin}, not of {current.origin}",
            hint="Keep the anchors of each log in a place of their own.",
        )
    if anchor.size > current.size or stored_tree.root(conn, anchor.size) != anchor.root:
        raise EvidenceError(
            f"the log forked: its tree of {current.size} leaves is not an extension of the anchor {where}, which has "
            f"{anchor.size}",
            hint="Keep the anchor, and verify the log by it. After a fork that was recorded, name a new folder.",
        )


def write_file(
    conn: Connection, path: Path, stamp: Stamp | None = None, *, is_folder: bool = False
) -> tuple[Path, bool]:
    """Write the newest checkpoint to a folder, as a new file, or to a file, which it replaces.

    Args:
        conn: The connection to the log; its login may read it.
        path: The folder or the file.
        stamp: What gets a timestamp, written beside the file; None for none.
        is_folder: Whether to make a folder where nothing is.

    Returns:
        The file, and whether it was written: False if the newest checkpoint was there already.

    Raises:
        EvidenceError: The tree is not an extension of the newest anchor there.
        UsageError: The file cannot be read or written.
        OutputError: It cannot be completed.
    """
    text, current = newest(conn)
    if is_folder and not path.exists():
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot make the folder {path}: {error.strerror}", hint="Name a folder where you may write."
            ) from error
    file = path / f"{safe_name(current.origin)}-{current.size}{SUFFIX}" if path.is_dir() else path
    for anchor in {_newest_file(path, current.origin), file} if path.is_dir() else {file}:
        if anchor is not None and (known := read(anchor)) is not None and known != text:
            require_extension(conn, known, current, str(anchor))
    if (there := read(file)) == text or (path.is_dir() and there is not None and is_same_tree(there, text)):
        is_new = False
    else:
        with output.destination(str(file), stdout=1, force=not path.is_dir()) as sink:
            sink.write(text.encode())
        is_new = True
    stamped = Path(f"{file}{TIMESTAMP_SUFFIX}")
    # One for the same checkpoint proves an earlier time.
    if stamp is not None and (is_new or not stamped.exists()):
        _write_timestamp(stamped, stamp(text.encode()))
    return file, is_new


def _write_timestamp(path: Path, response: bytes) -> None:
    hidden = path.with_name(f".{path.name}.part")
    try:
        hidden.write_bytes(response)
        hidden.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", hint="Free some space.") from error
    finally:
        with suppress(OSError):
            hidden.unlink()


def safe_name(origin: str) -> str:
    """Return the name of a log as part of the name of a file."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", origin).lstrip(".-") or "log"


def _newest_file(folder: Path, origin: str) -> Path | None:
    pattern = re.compile(rf"{re.escape(safe_name(origin))}-([0-9]+){re.escape(SUFFIX)}", re.ASCII)
    sizes = {int(match[1]): file for file in folder.iterdir() if (match := pattern.fullmatch(file.name))}
    return sizes[max(sizes)] if sizes else None


def read(path: Path) -> str | None:
    """Return the text of an anchor in a file; None if nothing is there.

    Raises:
        UsageError: It cannot be read, or is not text.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"cannot read {path}: {reason}", hint="Name another file or folder.") from error


def print_newest(conn: Connection, sink: Sink) -> None:
    """Write the newest checkpoint to standard output."""
    sink.write(newest(conn)[0].encode())
    sink.flush()


def add_row(conn: Connection, other: Connection, stamp: Stamp | None = None) -> tuple[Checkpoint, bool]:
    """Add the newest checkpoint to the table auditctl_anchor.checkpoint of another database.

    Creates the table if it is missing. Only INSERT and SELECT on it are needed afterwards.

    Returns:
        The checkpoint, and whether it was added: False if it was there already.

    Raises:
        EvidenceError: The tree is not an extension of the newest anchor there.
        DatabaseError: One of the logins may not.
    """
    text, current = newest(conn)
    with other.transaction():
        if other.execute("select to_regclass('auditctl_anchor.checkpoint')").fetchone() == (None,):
            for statement in _CREATE:
                other.execute(statement)
        query = "select note from auditctl_anchor.checkpoint where origin = %s order by tree_size desc limit 1"
        row = other.execute(query, [current.origin]).fetchone()
        if row is not None and is_same_tree(row[0], text):
            return current, False
        if row is not None:
            require_extension(conn, row[0], current, "in the other database")
        other.execute(
            "insert into auditctl_anchor.checkpoint (origin, tree_size, note, timestamp_response) "
            "values (%s, %s, %s, %s)",
            [current.origin, current.size, text, stamp(text.encode()) if stamp else None],
        )
    return current, True
