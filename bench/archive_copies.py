"""Makes an archive many times as large: each month again, whole years earlier, with numbers of its own.

Only times and numbers are changed, by Arrow, so that files come as fast as the machine can compress them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from auditctl.archive import layout, parts
from auditctl.archive.archive import Archive, ArchivedPart
from auditctl.archive.files import Files
from auditctl.archive.hashed_output import HashedOutput
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import Part


def write(source: Archive, files: Files, years: int) -> None:
    """Write every month of an archive again, so many years earlier; years of 365 days, so that a year has all of it."""
    step = max(one.last_event_id or 0 for one in source.manifests)
    for month in source.months:
        of = month.manifest
        key = MonthKey(of.key.database, f"{int(of.key.month[:4]) - years}{of.key.month[4:]}")
        shift = timedelta(days=365 * years)
        made = tuple(_write_part(part, files, key, step * years, shift) for part in month.parts)
        more = step * years
        first, last = (of.first_event_id or 0) + more, (of.last_event_id or 0) + more
        copy = replace(of, key=key, first_event_id=first, last_event_id=last, content="", parts=made, evidence=None)
        with files.write(key.path(layout.MANIFEST)) as file:
            file.write(copy.to_bytes())


def _write_part(part: ArchivedPart, files: Files, key: MonthKey, step: int, shift: timedelta) -> Part:
    times: list[datetime] = []
    with part.files.open(part.path) as source, files.write(key.path(part.part.name)) as file:
        reader, output = pq.ParquetFile(source), HashedOutput(file)
        groups = (_shifted(reader.read_row_group(n), step, shift) for n in range(reader.num_row_groups))
        first = next(groups)
        values = {name: pc.count_distinct(first[name]).as_py() for name in parts.FILTERED}
        with parts.parquet_writer(output, values) as writer:
            for table in (first, *groups):
                writer.write_table(table)
                times += [table["occurred_at"][place].as_py().astimezone(UTC) for place in (0, -1)]
    return Part(
        part.part.name, part.part.rows, output.size, output.hash.hexdigest(), *(str(times[place]) for place in (0, -1))
    )


def _shifted(table: pa.Table, step: int, shift: timedelta) -> pa.Table:
    """Return a group of rows at another time, with other numbers."""
    for place, column in enumerate(
        (pc.add(table["event_id"], step), pc.subtract(table["occurred_at"], pa.scalar(shift, pa.duration("us"))))
    ):
        table = table.set_column(place, table.schema.field(place), column)
    return table
