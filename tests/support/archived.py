"""A month of a test's database in an archive, written as the archiver writes it, and taken out of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from psycopg.sql import SQL, Identifier, Literal

from auditctl.archive import events, files, known_names, layout
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import Manifest, Rename
from auditctl.archive.parts import PART_BYTES, PartWriter
from auditctl.evidence import canonical

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

COPY: LiteralString = (
    "copy (select {} from {} as e where e.occurred_at >= {} and e.occurred_at < {} order by e.occurred_at, e.event_id)"
    " to stdout (format binary)"
)

RENAMES: LiteralString = "select renamed_at, old_target, new_target from auditctl.rename order by 1, 2, 3"

GUARDS: LiteralString = (
    # PostgreSQL 14 takes the triggers of a partition for internal ones.
    "select tgname from pg_trigger"
    " where tgrelid = %s::regclass and (not tgisinternal or tgparentid <> 0) and tgenabled = 'A'"
)

DROPPED: LiteralString = """
    insert into auditctl.archived_month
           (month, location, database, rows, fingerprint, content, manifest, targets, is_proved, event_id, dropped_at)
    values (%s, %s, %s, %s, 0, %s, %s, %s, false, 1, now())
"""

STORE: LiteralString = "select system_identifier::text from pg_control_system()"


def archive_month(
    conn: psycopg.Connection,
    folder: Path | str,
    month: str,
    *,
    database: str = "shop",
    part_bytes: int = PART_BYTES,
    archived_at: str | None = None,
) -> Manifest:
    """Write a month of the log into an archive; the table stays as it is."""
    key = MonthKey(database, month)
    archive = files.at(str(folder))
    writer = PartWriter(archive, key, part_bytes)
    first, end = bounds(month)
    query = SQL(COPY).format(events.projection("e"), SQL("auditctl.event"), Literal(first), Literal(end))
    with conn.cursor().copy(query) as copy:
        rows = list(events.rows(copy))
    numbers = [int.from_bytes(row[0] or b"", "big", signed=True) for row in rows]
    list(writer.write(iter(rows)))
    manifest = Manifest(
        key=key,
        rows=len(rows),
        first_event_id=min(numbers, default=None),
        last_event_id=max(numbers, default=None),
        content=writer.content.hexdigest(),
        parts=tuple(writer.parts),
        targets=known_names.targets(conn),
        renames=tuple(
            Rename(canonical.to_text("occurred_at", canonical.time_bytes(at.isoformat())) or "", old, new)
            for at, old, new in conn.execute(RENAMES).fetchall()
        ),
        store={
            "system_identifier": conn.execute(STORE).fetchone()[0],  # type: ignore[index]
            "database_oid": 1, "server_version": conn.info.server_version, "lower_is_ascii": True,
        },
        archived_at=archived_at or f"{end[:10]}T00:00:00.000000+00:00",
    )  # fmt: skip
    with archive.write(key.path(layout.MANIFEST)) as file:
        file.write(manifest.to_bytes())
    return manifest


def drop_month(conn: psycopg.Connection, month: str) -> None:
    """Take a month out of the log, whether or not it has a partition, as only a superuser can."""
    name = f"event_{month.replace('-', '_')}"
    if conn.execute("select to_regclass(%s)", [f"auditctl.{name}"]).fetchone() != (None,):
        conn.execute(SQL("alter table auditctl.event detach partition auditctl.{}").format(Identifier(name)))
        conn.execute(SQL("drop table auditctl.{}").format(Identifier(name)))
    for table in ("event_default", "key_change"):
        _delete(conn, table, *bounds(month))


def move_month(conn: psycopg.Connection, folder: Path, month: str, *, database: str = "shop") -> None:
    """Archive a month, and drop it as upkeep does."""
    drop_archived(conn, folder, archive_month(conn, folder, month, database=database))


def drop_archived(conn: psycopg.Connection, folder: Path, made: Manifest) -> None:
    """Drop a month that is archived."""
    with conn.transaction():
        query = "select array_agg(distinct target) from auditctl.event where occurred_at >= %s and occurred_at < %s"
        ((targets,),) = conn.execute(query, bounds(made.key.month)).fetchall()
        drop_month(conn, made.key.month)
        facts = [made.key.month, str(folder), made.key.database, made.rows, made.content, made.digest, targets]
        conn.execute(DROPPED, facts)


def _delete(conn: psycopg.Connection, table: str, first: str, end: str) -> None:
    guards = conn.execute(GUARDS, [f"auditctl.{table}"]).fetchall()
    named = [SQL("auditctl.{}").format(Identifier(table)), *(Identifier(name) for (name,) in guards)]
    for guard in named[1:]:
        conn.execute(SQL("alter table {} disable trigger {}").format(named[0], guard))
    conn.execute(SQL("delete from {} where occurred_at >= {} and occurred_at < {}").format(named[0], first, end))
    for guard in named[1:]:
        conn.execute(SQL("alter table {} enable always trigger {}").format(named[0], guard))


def bounds(month: str) -> tuple[str, str]:
    """The first moment of a month, and that of the next one."""
    year, number = int(month[:4]), int(month[5:])
    later = f"{year + number // 12:04}-{number % 12 + 1:02}"
    return f"{month}-01 00:00:00+00", f"{later}-01 00:00:00+00"
