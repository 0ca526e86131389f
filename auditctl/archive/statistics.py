"""Which groups of rows of a file may have a value, by the statistics of their columns."""

from __future__ import annotations

import pyarrow.parquet as pq


def groups_with(reader: pq.ParquetFile, column: str, value: int) -> list[int]:
    """Return the groups of rows in which a value may be, in their order; those without statistics, too."""
    metadata = reader.metadata
    place = reader.schema_arrow.get_field_index(column)
    found = []
    for group in range(metadata.num_row_groups):
        known = metadata.row_group(group).column(place).statistics
        if known is None or not known.has_min_max or known.min <= value <= known.max:
            found.append(group)
    return found
