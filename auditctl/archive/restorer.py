"""Brings an archived month back into the log: the same events, with their numbers, times and canonical bytes.

One transaction: until it ends the log is as it was. What the files have must be what the log recorded when the month
was archived, and what the table has then must be the same events again. Hot events never left the log: they stay as
they are there, also if they expired meanwhile. Source: sql/functions/60_upkeep/restore.sql.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from auditctl import database
from auditctl.archive import (
    archive,
    evidence_restorer,
    exclusive,
    file_check,
    hot_targets,
    layout,
    month_place,
    origin,
    parts,
    settings,
)
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.month_files import MonthFiles
from auditctl.archive.packed import ContentDigest, pack
from auditctl.database import Connection
from auditctl.errors import OutputError, UsageError
from auditctl.evidence import canonical
from auditctl.evidence.canonical import Fields
from auditctl.evidence.row_prover import is_sealed
from auditctl.names import ROLE_OWNER

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_COUNT = struct.pack(">h", len(canonical.COLUMNS))
_TARGET = canonical.COLUMNS.index("target")
_JSON = tuple(canonical.COLUMNS.index(name) for name in canonical.JSON)
_VERSION = b"\1"  # of jsonb in binary format
_BUFFER = 1 << 18

_RECORD = """
    select a.archive_id, a.month, a.location, a.database, a.manifest,
           a.dropped_at is not null and a.ended_at is null as is_dropped
      from auditctl.archived_month as a
     where a.month = %s and a.expired_at is null and a.deleted_at is null
     order by a.archive_id desc limit 1
"""


_END = """
    select r.rows, r.has_same_hot_events
      from auditctl.archived_month as a
     cross join lateral auditctl_internal.end_restore(a, %s, %s, %s, %s) as r
     where a.archive_id = %s
"""


@dataclass(frozen=True, slots=True)
class RestoredMonth:
    """A month that is in the log again.

    Attributes:
        rows: How many events came back.
        has_same_hot_events: Whether those that had stayed in the log are still as they were archived.
    """

    rows: int
    has_same_hot_events: bool


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """What the log says of a month that was archived.

    Attributes:
        archive_id: The number of the record.
        month: The month in UTC, such as 2026-05.
        location: The archive.
        database: The name of the database in the paths of its files.
        manifest: The digest of its manifest.
        is_dropped: Whether the log has its events no more.
    """

    archive_id: int
    month: str
    location: str
    database: str
    manifest: str
    is_dropped: bool


def find(conn: Connection, month: str) -> ArchiveRecord:
    """Return the record of a month whose events are in files alone.

    Raises:
        UsageError: It was not archived, or the log still has it.
    """
    with conn.cursor(row_factory=class_row(ArchiveRecord)) as cursor:
        found = cursor.execute(_RECORD, [month]).fetchone()
    if found is None:
        raise UsageError(
            f"the month {month} is not archived", hint="See which are: auditctl log --target auditctl.archive"
        )
    if not found.is_dropped:
        raise UsageError(f"the log still has the month {month}", hint="Only what maintain has dropped is restored.")
    return found


def place(conn: Connection, record: ArchiveRecord) -> Files:
    """Return the archive that has the month: where it was written to, or where the file says that archives are now.

    Raises:
        UsageError, OutputError: As `month_place.find`.
    """
    return month_place.find(MonthKey(record.database, record.month), record.location, settings.read(conn).to)


def restore(conn: Connection, files: Files, record: ArchiveRecord, report: Callable[[int, int], None]) -> RestoredMonth:
    """Restore a month.

    Args:
        conn: A connection whose login may act as auditctl_owner.
        files: The archive.
        record: What the log says of the month.
        report: What takes how many events of how many are restored.

    Raises:
        ArchiveError: The files are not those that the log recorded, or the log was sealed after the month was dropped.
            Nothing is restored.
        OutputError: A file cannot be read.
        DatabaseError: The login may not, or the month is in use.
    """
    key = MonthKey(record.database, record.month)
    if files.size(key.path(layout.MANIFEST)) is None:
        raise OutputError(
            f"{files.shown(key.path(layout.MANIFEST))} is missing",
            hint="Name the archive that has the month with --from, or restore it from a copy.",
        )
    manifest = archive.month(files, key, record.manifest).manifest
    if manifest.digest != record.manifest:
        raise ArchiveError(
            f"{files.shown(key.path(layout.MANIFEST))} is not the manifest that the log recorded",
            hint="Restore the archive from a copy, or name another one: --from PATH",
        )
    if manifest.evidence is None and is_sealed(conn):
        raise ArchiveError(
            f"the log was sealed after the month {record.month} was dropped: restored events would not be those that"
            " were sealed",
            hint="Read the files instead.",
        )
    with exclusive.alone(conn), database.acting_as(conn, ROLE_OWNER):
        # What an erasure that was stopped has left must not outlast the record of the month.
        MonthFiles(files, key, origin.read(conn)).settle(record.manifest)
        query = "select r.partition::text, r.rows, r.fingerprint from auditctl_internal.begin_restore(%s) as r"
        state = conn.execute(query, [record.month]).fetchone() or ()
        _load(conn, state[0], _checked(files, manifest), lambda done: report(done, manifest.rows))
        evidence_restorer.restore_leaves(conn, files, manifest)
        rows, has_same = conn.execute(_END, [*state, files.name, record.archive_id]).fetchone() or (0, True)
    return RestoredMonth(rows, has_same)


def _checked(files: Files, manifest: Manifest) -> Iterator[Fields]:
    """Yield the events of a month; raise ArchiveError at the end of a file that is not as the manifest says."""
    content = ContentDigest()
    for part in manifest.parts:
        file_check.check_bytes(files, manifest.key.path(part.name), part.bytes, part.sha256)
        for fields in parts.read(files, manifest.key.path(part.name)):
            content.add(fields)
            yield fields
    if (content.events, content.hexdigest()) != (manifest.rows, manifest.content):
        raise ArchiveError(
            f"{files.shown(manifest.key.folder)} does not have the events that its manifest names",
            hint="Restore the archive from a copy.",
        )


def _load(conn: Connection, table: str, events: Iterator[Fields], report: Callable[[int], None]) -> None:
    schema, name = table.split(".")
    columns = SQL(", ").join(map(Identifier, canonical.COLUMNS))
    statement = SQL("copy {} ({}) from stdin (format binary)").format(Identifier(schema, name), columns)
    buffer = bytearray(_HEADER)
    with conn.cursor().copy(statement) as copy:
        for number, fields in enumerate(events, 1):
            if hot_targets.stays_hot((fields[_TARGET] or b"").decode(errors="replace")):
                continue
            buffer += _COUNT + pack(_as_stored(fields))
            if len(buffer) >= _BUFFER:
                copy.write(bytes(buffer))
                buffer.clear()
                report(number)
        copy.write(bytes(buffer) + _TRAILER)


def _as_stored(fields: Fields) -> Fields:
    row: list[Any] = list(fields)
    for place in _JSON:
        if row[place] is not None:
            row[place] = _VERSION + row[place]
    return tuple(row)
