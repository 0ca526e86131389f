"""The evidence of an archived month as a file of Parquet: the nodes of the tree, from left to right.

A row is a leaf of an event of the month, or a subtree without one. Written and read in constant memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from auditctl.archive import row_groups
from auditctl.archive.files import Files
from auditctl.archive.hashed_output import HashedOutput
from auditctl.archive.row_groups import RowGroups
from auditctl.archive.tree_nodes import SealedEvent, TreeNode
from auditctl.evidence.leaf import CHECK_BYTES, SALT_BYTES

GROUP_ROWS = 20_000
"""How many nodes a group of rows has at most."""

_VERSION_KEY, _VERSION = b"auditctl.evidence", b"1"
_HASH_BYTES = 32
_DELTA = ("leaf", "event_id", "occurred_at")
_DICTIONARY = ("level", "block", "secret")


def schema() -> pa.Schema:
    """Return the columns; docs/explanation/evidence.md says what each has."""
    fields = (
        ("leaf", pa.int64()), ("level", pa.int32()), ("hash", pa.binary(_HASH_BYTES)), ("block", pa.int64()),
        ("event_id", pa.int64()), ("occurred_at", pa.int64()), ("checks", pa.binary(CHECK_BYTES)),
        ("secret", pa.binary(SALT_BYTES)), ("salts", pa.binary()), ("erasure", pa.string()),
    )  # fmt: skip
    return pa.schema(
        [pa.field(name, kind, nullable=name not in ("leaf", "level", "hash")) for name, kind in fields],
        metadata={_VERSION_KEY: _VERSION},
    )


@dataclass(frozen=True, slots=True)
class Written:
    """A file of evidence that was written.

    Attributes:
        bytes: Its size.
        sha256: The SHA-256 of its bytes, in hexadecimal digits.
    """

    bytes: int
    sha256: str


def write(files: Files, path: str, nodes: Iterable[TreeNode]) -> Written:
    """Write the nodes of a tree as a new file.

    Raises:
        OutputError: The file exists, or cannot be written.
    """
    rest = iter(nodes)
    with files.write(path) as file:
        output = HashedOutput(file)
        with _writer(output) as writer:
            while group := list(islice(rest, GROUP_ROWS)):
                writer.write_table(_table(group))
    return Written(output.size, output.hash.hexdigest())


def _writer(output: HashedOutput) -> Any:
    return pq.ParquetWriter(
        output, schema(), version="2.6", compression="zstd", use_dictionary=list(_DICTIONARY),
        column_encoding=dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"), write_page_checksum=True,
    )  # fmt: skip


def _table(nodes: Sequence[TreeNode]) -> pa.Table:
    own = ([node.leaf for node in nodes], [node.level for node in nodes], [node.hash for node in nodes])
    names = [field.name for field in schema()][len(own) :]
    ofs = ([None if node.event is None else getattr(node.event, name) for node in nodes] for name in names)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip((*own, *ofs), schema(), strict=True)], schema()
    )


EvidenceFile = RowGroups[TreeNode]
"""A file of evidence that is open, with the nodes of its tree."""


def opened(files: Files, path: str) -> AbstractContextManager[EvidenceFile]:
    """Open a file of evidence to read it. Raises as `row_groups.opened`."""
    return row_groups.opened(files, path, schema(), _nodes)


def _nodes(batch: pa.RecordBatch) -> Iterator[TreeNode]:
    return map(_node, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _node(row: Sequence[Any]) -> TreeNode:
    leaf, level, value, block, *rest = row
    if block is None:
        return TreeNode(leaf, level, value)
    event_id, occurred_at, checks, secret, salts, erasure = rest
    if None in (event_id, occurred_at, checks) or level or (secret is None) == (salts is None):
        raise ValueError(f"the leaf {leaf} is not that of an event")
    return TreeNode(leaf, level, value, SealedEvent(block, event_id, occurred_at, checks, secret, salts, erasure))


def digest(files: Files, path: str) -> Written:
    """Return size and SHA-256 of a file of the archive as it is now. Raises OutputError."""
    total, size = hashlib.sha256(), 0
    for chunk in files.chunks(path):
        total.update(chunk)
        size += len(chunk)
    return Written(size, total.hexdigest())
