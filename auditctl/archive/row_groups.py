"""Opens a file of Parquet, and reads it by groups of rows, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from auditctl.archive.files import Files
from auditctl.archive.manifest import ArchiveError

T = TypeVar("T")

_ROWS = 10_000
"""How many rows are in memory at a time."""


@dataclass(frozen=True, slots=True)
class RowGroups(Generic[T]):
    """The groups of rows of a file that is open.

    Attributes:
        shown: What messages call it.
        reader: The file.
        decode: Turns a batch of rows into what they mean; raises ValueError for what no archiver writes.
    """

    shown: str
    reader: pq.ParquetFile
    decode: Callable[[pa.RecordBatch], Iterable[T]]

    @property
    def count(self) -> int:
        """How many groups of rows it has."""
        return int(self.reader.num_row_groups)

    def read(self, group: int) -> Iterator[T]:
        """Yield what the rows of a group mean.

        Raises:
            ArchiveError: They cannot be read.
        """
        with _damage(f"row group {group} of {self.shown}"):
            for batch in self.reader.iter_batches(batch_size=_ROWS, row_groups=[group]):
                yield from self.decode(batch)

    def all(self) -> Iterator[T]:
        """Yield what all rows mean. Raises ArchiveError."""
        for group in range(self.count):
            yield from self.read(group)

    def groups_with(self, event_id: int) -> list[int]:
        """Return the groups in which the number of an event may be, by their statistics, in their order."""
        place = self.reader.schema_arrow.get_field_index("event_id")
        found = []
        for group in range(self.count):
            known = self.reader.metadata.row_group(group).column(place).statistics
            if known is None or not known.has_min_max or known.min <= event_id <= known.max:
                found.append(group)
        return found


@contextmanager
def opened(
    files: Files, path: str, schema: pa.Schema, decode: Callable[[pa.RecordBatch], Iterable[T]]
) -> Iterator[RowGroups[T]]:
    """Open a file to read it.

    Args:
        files: The archive.
        path: The file.
        schema: Its columns, with their version.
        decode: As `RowGroups.decode`.

    Raises:
        ArchiveError: It has other columns, or is not a Parquet file.
        OutputError: It cannot be read.
    """
    shown = files.shown(path)
    with files.open(path) as file:
        with _damage(shown):
            reader = pq.ParquetFile(file, page_checksum_verification=True)
        with reader:
            if not reader.schema_arrow.equals(schema, check_metadata=True):
                raise ArchiveError(f"{shown} has other columns", hint="Another version of auditctl wrote it.")
            yield RowGroups(shown, reader, decode)


@contextmanager
def _damage(shown: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        raise ArchiveError(f"{shown} cannot be read: {error}", hint="Restore it from a copy.") from error
