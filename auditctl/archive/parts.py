"""Writes events into files of Parquet, and reads them back, in constant memory.

Files are sorted by time and number, compressed by Zstandard, and have statistics of each group of rows and page, and
Bloom filters for the columns that are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from auditctl.archive import events, layout, row_groups
from auditctl.archive.columns import COLUMNS, Stored
from auditctl.archive.events import EventRow
from auditctl.archive.files import Files
from auditctl.archive.hashed_output import HashedOutput
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import Part
from auditctl.archive.packed import ContentDigest
from auditctl.archive.row_groups import RowGroups
from auditctl.evidence import canonical
from auditctl.evidence.canonical import Fields

PART_BYTES = 256_000_000
"""After about how many bytes a file ends."""

GROUP_ROWS, GROUP_BYTES = 100_000, 128_000_000
"""How many events a group of rows has at most, and how many bytes they have before they are compressed."""

_LEVEL = 9
_MISSED = 0.01
"""How often a Bloom filter leads to a group of rows in vain."""

FILTERED = frozenset(column.name for column in COLUMNS if column.has_filter)
"""The columns with a Bloom filter."""


@dataclass(slots=True)
class PartWriter:
    """Writes the parts of one month.

    Attributes:
        files: The archive.
        key: The month.
        part_bytes: After how many bytes a file ends.
        parts: The complete parts.
        content: The digest of the events so far.
    """

    files: Files
    key: MonthKey
    part_bytes: int = PART_BYTES
    parts: list[Part] = field(default_factory=list)
    content: ContentDigest = field(default_factory=ContentDigest)

    def write(self, rows: Iterable[EventRow]) -> Iterator[int]:
        """Write all events, in their order; yield how many are written after each group of rows.

        Raises:
            OutputError: A file cannot be written, or exists.
        """
        groups = _groups(rows)
        group = next(groups, None)
        while group is not None:
            name = layout.part(len(self.parts) + 1)
            with self.files.write(self.key.path(name)) as file:
                output = HashedOutput(file)
                first, last, count = group[0], group[-1], 0
                with _writer(output, group) as writer:
                    while group is not None and (count == 0 or output.size < self.part_bytes):
                        for row in group:
                            self.content.add(events.fields_of(row))
                        writer.write_table(pa.Table.from_batches([events.to_batch(group)]))
                        count, last = count + len(group), group[-1]
                        yield self.content.events
                        group = next(groups, None)
            times = (canonical.to_text("occurred_at", row[1]) or "" for row in (first, last))
            self.parts.append(Part(name, count, output.size, output.hash.hexdigest(), *times))


PartFile = RowGroups[Fields]
"""A part that is open, with the canonical bytes of its events."""


def opened(files: Files, path: str) -> AbstractContextManager[PartFile]:
    """Open a part to read it. Raises as `row_groups.opened`."""
    return row_groups.opened(files, path, events.schema(), events.from_batch)


def read(files: Files, path: str) -> Iterator[Fields]:
    """Yield the canonical bytes of each event of a part.

    Raises:
        ArchiveError: It is not a file of this version of auditctl.
        OutputError: It cannot be read.
    """
    with opened(files, path) as part:
        yield from part.all()


def _groups(rows: Iterable[EventRow]) -> Iterator[list[EventRow]]:
    group: list[EventRow] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(map(len, filter(None, row)))
        if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _writer(output: HashedOutput, group: list[EventRow]) -> AbstractContextManager[Any]:
    """Return the writer of a file like its first group."""
    places = {name: place for place, name in enumerate(canonical.COLUMNS) if name in FILTERED}
    return parquet_writer(output, {name: len({row[place] for row in group}) for name, place in places.items()})


def parquet_writer(output: HashedOutput, values: Mapping[str, int]) -> AbstractContextManager[Any]:
    """Return the writer of a file.

    Args:
        output: Where it goes.
        values: About how many values a group of rows has, for each column with a Bloom filter; it has room for twice
            as many.
    """
    filters = {name: {"ndv": min(2 * number + 16, GROUP_ROWS), "fpp": _MISSED} for name, number in values.items()}
    return pq.ParquetWriter(  # type: ignore[no-any-return]
        output, events.schema(), version="2.6", compression="zstd", compression_level=_LEVEL,
        use_dictionary=[column.name for column in COLUMNS if column.stored is Stored.DICTIONARY],
        column_encoding={column.name: "DELTA_BINARY_PACKED" for column in COLUMNS if column.stored is Stored.DELTA},
        sorting_columns=[pq.SortingColumn(1), pq.SortingColumn(0)],
        write_page_index=True, write_page_checksum=True, bloom_filter_options=filters,
    )  # fmt: skip
