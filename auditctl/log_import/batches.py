"""What an import asks of the database: a batch of reads, and how far each file was read, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from auditctl import database
from auditctl.database import Connection
from auditctl.log_import.pairing import Place


@dataclass(frozen=True, slots=True)
class Noted:
    """How far a file was read, as auditctl.log_file has it.

    Attributes:
        place: From where to read on.
        size: The size on disk when it was read to its end; -1 where it was not.
    """

    place: Place
    size: int


def noted(conn: Connection, fingerprint: str) -> Noted | None:
    """Return how far a file was read; None where it is new (auditctl.log_file)."""
    row = conn.execute(
        "select position, line, tail, size from auditctl.log_file where fingerprint = %s", [fingerprint]
    ).fetchone()
    return None if row is None else Noted(Place(fingerprint, *row[:3]), row[3])


def note(conn: Connection, place: Place, name: str, form: str, size: int) -> None:
    """Keep how far a file was read (auditctl.note_log_file)."""
    conn.execute(
        "select auditctl.note_log_file(%s, %s, %s, %s, %s, %s, %s)",
        [place.fingerprint, name, form, place.position, place.line, place.tail, size],
    )


def import_reads(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """Make events of reads; return how many were `made`, `recorded` already and `expired` (auditctl.import_reads)."""
    return dict(conn.execute("select outcome, lines from auditctl.import_reads(%s)", [Jsonb(lines)]).fetchall())


def import_own_reads(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Make events of auditctl's own lines; return what became of each, in order (auditctl.import_own_reads).

    One of `made`, `recorded`, `waiting`, `known`, `expired` and `forged`.
    """
    query = "select outcome from auditctl.import_own_reads(%s) order by number"
    return [row[0] for row in conn.execute(query, [Jsonb(lines)])]


def settle_reads(conn: Connection) -> Mapping[str, int]:
    """Make up for reads whose transaction had not ended; return how many became what (auditctl.settle_reads)."""
    return dict(conn.execute("select outcome, lines from auditctl.settle_reads()").fetchall())


def record_import(conn: Connection, data: Mapping[str, Any], summary: str) -> None:
    """Record the import itself (auditctl.record_import)."""
    conn.execute("select auditctl.record_import(%s, %s)", [Jsonb(data), summary])


@contextmanager
def batch(conn: Connection, *, is_kept: bool) -> Iterator[None]:
    """Run the block in one transaction; where it is not to be kept, it is rolled back."""
    with database.errors_translated(), conn.transaction(force_rollback=not is_kept):
        conn.execute("set transaction isolation level read committed")
        yield
