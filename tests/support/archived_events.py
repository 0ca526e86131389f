"""Events of a log in one file of Parquet, as an engine reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.sql import SQL

from auditctl.archive import events, files, parts
from auditctl.archive.layout import MonthKey
from auditctl.log import archive_predicates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import psycopg

    from auditctl.archive.engines import Engine
    from auditctl.log.archive_predicates import ArchivePredicate

KEY = MonthKey("shop", "2026-03")
COPY = SQL("copy (select {} from auditctl.event as e order by occurred_at, event_id) to stdout (format binary)")


def write_archive(conn: psycopg.Connection, folder: Path) -> Path:
    """Write all events of the log into a file, as if they were of one month; return its path."""
    writer = parts.PartWriter(files.at(str(folder)), KEY)
    with conn.cursor() as cursor, cursor.copy(COPY.format(events.projection("e"))) as copy:
        list(writer.write(events.rows(copy)))
    (part,) = writer.parts
    return folder / KEY.path(part.name)


def matches(engine: Engine, path: Path, predicates: Sequence[ArchivePredicate]) -> list[int]:
    """Return the numbers of the events that predicates select, oldest first; what is certain must be right."""
    table = engine.events([str(path)])
    whole = archive_predicates.conjunction(predicates)
    chosen = table.filter(whole.expression(table)).order_by("occurred_at", "event_id")
    certain = whole.certain(chosen) if whole.certain else chosen.event_id.isnull()
    names = [name for name in dict.fromkeys(("event_id", *whole.columns)) if name != "occurred_at"]
    batches = engine.batches(chosen.select(*names, is_certain=certain, occurred_at=chosen.occurred_us))
    rows = [row for batch in batches for row in batch.to_pylist()]
    selected = [row for row in rows if whole.accepts is None or whole.accepts(row)]
    assert [row for row in rows if row["is_certain"] and row not in selected] == []
    return [row["event_id"] for row in selected]
