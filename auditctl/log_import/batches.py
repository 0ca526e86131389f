"""Stores a batch of imported reads, and how far each file was read, in one transaction."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.log_import.files import FilePosition


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How far a file was read, as auditctl.log_file has it.

    Attributes:
        position: Where to read on.
        size: The size on disk when it was read to its end; -1 if it was not.
    """

    position: FilePosition
    size: int


def require_privilege(conn: Connection) -> None:
    """Raise unless the login may import.

    Raises:
        DatabaseError: It lacks the role auditctl_admin.
    """
    query = "select has_function_privilege('auditctl.settle_reads()', 'execute')"
    if conn.execute(query).fetchone() != (True,):
        login = conn.info.user
        raise DatabaseError(
            f"{login} may not import a log: that takes the role auditctl_admin",
            hint=f"Ask the DBA for: auditctl grant admin {shlex.quote(login)}",
            sqlstate=database.DENIED,
        )


def read_progress(conn: Connection, fingerprint: str) -> FileProgress | None:
    """Return how far a file was read; None for a new one (auditctl.log_file)."""
    row = conn.execute(
        "select position, line, tail, size from auditctl.log_file where fingerprint = %s", [fingerprint]
    ).fetchone()
    return None if row is None else FileProgress(FilePosition(fingerprint, *row[:3]), row[3])


def save_progress(conn: Connection, progress: FileProgress, name: str, form: str) -> None:
    """Store how far a file was read (auditctl.note_log_file)."""
    position = progress.position
    conn.execute(
        "select auditctl.note_log_file(%s, %s, %s, %s, %s, %s, %s)",
        [position.fingerprint, name, form, position.offset, position.line, position.tail, progress.size],
    )


def import_reads(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """Make events of reads; return how many were `made`, `recorded` already and `expired` (auditctl.import_reads)."""
    return dict(conn.execute("select outcome, lines from auditctl.import_reads(%s)", [Jsonb(lines)]).fetchall())


def import_activities(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """Make events of other lines; return how many, by target, and how many `expired` (auditctl.import_activities)."""
    return dict(conn.execute("select outcome, lines from auditctl.import_activities(%s)", [Jsonb(lines)]).fetchall())


def import_own_reads(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Make events of lines of auditctl's policy; return the outcome of each, in order (auditctl.import_own_reads).

    An outcome is `made`, `recorded`, `waiting`, `known`, `expired` or `forged`.
    """
    query = "select outcome from auditctl.import_own_reads(%s) order by number"
    return [row[0] for row in conn.execute(query, [Jsonb(lines)])]


def settle_reads(conn: Connection) -> Mapping[str, int]:
    """Decide the reads whose transaction was open at the last import; count by outcome (auditctl.settle_reads)."""
    return dict(conn.execute("select outcome, lines from auditctl.settle_reads()").fetchall())


def record_import(conn: Connection, data: Mapping[str, Any], summary: str) -> None:
    """Record the import as an event (auditctl.record_import)."""
    conn.execute("select auditctl.record_import(%s, %s)", [Jsonb(data), summary])


@contextmanager
def batch(conn: Connection, *, dry_run: bool) -> Iterator[None]:
    """Run the block in one transaction, which a dry run rolls back."""
    with database.errors_translated(), conn.transaction(force_rollback=dry_run):
        conn.execute("set transaction isolation level read committed")
        yield
