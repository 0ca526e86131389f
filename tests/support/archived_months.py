"""Months of a sealed log in an archive, with their evidence, as the archiver writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.sql import SQL

from auditctl import database
from auditctl.archive import events, evidence, files, layout, parts
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

COPY = SQL(
    "copy (select {} from auditctl.event as e where {} order by e.occurred_at, e.event_id) to stdout (format binary)"
)


def write_month(
    dsn: str, folder: Path, month: str, *, part_bytes: int = parts.PART_BYTES, archived_at: str = "2026-11-27"
) -> Manifest:
    """Archive a month of a log."""
    with database.connect_store(dsn) as conn, database.read_transaction(conn):
        (name,) = conn.execute("select current_database()").fetchone() or ("",)
        key, place = MonthKey(str(name), month), files.at(str(folder))
        writer = parts.PartWriter(place, key, part_bytes)
        with conn.cursor().copy(COPY.format(events.projection("e"), evidence.month_condition(key))) as copy:
            list(writer.write(events.rows(copy)))
        ids = [int.from_bytes(f[0] or b"", "big") for p in writer.parts for f in parts.read(place, key.path(p.name))]
        manifest = Manifest(
            key, writer.content.events, min(ids, default=None), max(ids, default=None), writer.content.hexdigest(),
            tuple(writer.parts), (), (), {}, archived_at, evidence.collect(conn, place, key),
        )  # fmt: skip
    with place.write(key.path(layout.MANIFEST)) as file:
        file.write(manifest.to_bytes())
    return manifest
