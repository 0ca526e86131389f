"""Writes the tree for others as C2SP specifies it (tlog-tiles): `checkpoint`, and tiles of 256 hashes under `tile/`.

There are no bundles of entries, as the events stay in the database. Constant memory, and only tiles that are new.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from auditctl import output
from auditctl.database import Connection, read_transaction
from auditctl.errors import OutputError
from auditctl.evidence import anchor, merkle, note, stored_tree
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.tree_reader import HEIGHT, TreeReader

CHECKPOINT = "checkpoint"
"""The name of the file with the signed checkpoint."""

_WIDTH = 1 << HEIGHT
_HASH = 32


@dataclass(slots=True)
class Written:
    """What was written.

    Attributes:
        checkpoint: The checkpoint that is there now.
        tiles: How many tiles are new.
        missing: How many tiles could not be written, as retention deleted hashes that they have.
        first_missing: The first leaf of the first of them; None without any.
    """

    checkpoint: Checkpoint
    tiles: int = 0
    missing: int = 0
    first_missing: int | None = None


def tile_path(level: int, index: int, width: int = _WIDTH) -> str:
    """Return the path of a tile below the folder.

    Args:
        level: Its level: its hashes are of subtrees of 2^(8 level) leaves.
        index: Which of the tiles of that level.
        width: How many hashes it has; fewer than 256 at the right edge.
    """
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03}")
    partial = f".p/{width}" if width < _WIDTH else ""
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def write(conn: Connection, folder: Path) -> Written:
    """Write the tree of the newest checkpoint to a folder; what was written for an earlier one stays.

    Raises:
        StoreError: The log was never sealed.
        EvidenceError: The tree is not an extension of the one that is there, or not that of its checkpoint.
        UsageError: The folder cannot be written.
        OutputError: A file cannot be completed.
    """
    with read_transaction(conn):
        text, current = anchor.newest(conn)
        file = folder / CHECKPOINT
        known = anchor.read(file)
        if known is not None:
            anchor.require_extension(conn, known, current, str(file))
        if stored_tree.root(conn, current.size) != current.root:
            raise EvidenceError(
                "the stored tree is not that of its checkpoint", hint="See what differs: auditctl verify"
            )
        written = Written(current)
        before = Checkpoint.parse(note.signatures(known)[0]).size if known is not None else 0
        reader = TreeReader(conn, current.size)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write_tiles(reader, folder, before, written)
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror}", hint="Name another folder.") from error
    if known != text:
        os.sync()  # the checkpoint appears when its tiles are on the disk
        with output.destination(str(file), stdout=-1, force=True) as sink:
            sink.write(text.encode())
    return written


def _write_tiles(reader: TreeReader, folder: Path, before: int, written: Written) -> None:
    size = written.checkpoint.size
    for level in range(len(merkle.STORED_LEVELS) + 1):
        nodes = size >> (HEIGHT * level)
        for index in range((before >> (HEIGHT * level)) // _WIDTH, -(-nodes // _WIDTH)):
            width = min(nodes - index * _WIDTH, _WIDTH)
            path = folder / tile_path(level, index, width)
            if path.exists() and path.stat().st_size == _HASH * width:
                continue
            data = _tile(reader, level, index, width)
            if data is None:
                written.missing += 1
                if written.first_missing is None:
                    written.first_missing = index * _WIDTH << (HEIGHT * level)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            hidden = path.with_name(f".{path.name}.part")
            hidden.write_bytes(data)
            hidden.replace(path)
            written.tiles += 1
            if width == _WIDTH:
                with suppress(FileNotFoundError):
                    rmtree(path.with_name(f"{path.name}.p"))


def _tile(reader: TreeReader, level: int, index: int, width: int) -> bytes | None:
    """The hashes of a tile; None if some are gone."""
    lowest = HEIGHT * level
    nodes = reader.tile(lowest, index)
    hashes = [nodes.get((lowest, place)) for place in range(index * _WIDTH, index * _WIDTH + width)]
    found = [one for one in hashes if one is not None]
    if len(found) < width:
        return None
    if width == _WIDTH and merkle.tree_root(found) != reader.node(lowest + HEIGHT, index):
        first = index * _WIDTH << lowest
        raise EvidenceError(
            f"the stored hashes of the leaves from {first} on do not fit the tree",
            hint="See what differs: auditctl verify",
        )
    return b"".join(found)
