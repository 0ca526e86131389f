"""Reads which findings of doctor are accepted, and plans the changes that make them those of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase

from psycopg import sql
from psycopg.rows import class_row

from auditctl.actions import Action
from auditctl.capture.model import Statement
from auditctl.capture.plan import Change, ChangeKind
from auditctl.database import Connection
from auditctl.text import is_glob

KEYLESS = "table_keyless"
"""The check of doctor that finds what plans warn of, too."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """That findings of one check about one object, or the objects of a glob, are accepted.

    Attributes:
        check: The name of the check; empty if the file does not state it, which is a mistake in it.
        object: The object as the finding has it, or a glob; empty likewise.
        reason: Why; empty likewise.
        until: The day from which they count again; None for never.
        set_by: Who accepted them, where the database says so; not compared.
        origin: The place in the file, for messages, such as `audit.toml: doctor.accept[0]`; not compared.
    """

    check: str
    object: str
    reason: str
    until: date | None = None
    set_by: str = field(default="", compare=False)
    origin: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """Check and object."""
        return f"{self.check} {self.object}"

    def may_be(self, other: Acceptance) -> bool:
        """Return whether another one is about the same; what this one lacks may be anything."""
        return self.check in ("", other.check) and self.object in ("", other.object)

    def matches(self, check: str, about: str) -> bool:
        """Return whether a finding is one of these."""
        is_named = self.object == about or (is_glob(self.object) and fnmatchcase(about, self.object))
        return self.check == check and is_named


def read(conn: Connection) -> tuple[Acceptance, ...]:
    """Return what is accepted, expired or not, by check and object.

    Raises:
        DatabaseError: The login may not read auditctl.accepted_finding.
    """
    query = (
        'select check_name as "check", object, reason, until, set_by from auditctl.accepted_finding '
        'order by check_name collate "C", object collate "C"'
    )
    return tuple(conn.cursor(row_factory=class_row(Acceptance)).execute(query))


def accepted_keyless(conn: Connection, names: Sequence[str], desired: Sequence[Acceptance] | None) -> frozenset[str]:
    """Return those targets without a key for which somebody accepted that, by a file or else in the database, today.

    Raises:
        DatabaseError: As `read`.
    """
    if not names:
        return frozenset()
    (today,) = conn.execute("select current_date").fetchone() or (date.max,)
    valid = [one for one in (read(conn) if desired is None else desired) if one.until is None or today < one.until]
    return frozenset(name for name in names if any(one.matches(KEYLESS, name) for one in valid))


def changes(
    stored: Sequence[Acceptance], desired: Sequence[Acceptance] | None, problems: Sequence[str] = ()
) -> Iterator[Change]:
    """Yield the changes that make the database accept what a file accepts.

    Args:
        stored: What it accepts.
        desired: What the file accepts; None for a file that does not say, which changes nothing.
        problems: The mistakes in the file. What an entry with one is about stays as it is.
    """
    if desired is None:
        return
    faulty = [one for one in desired if any(text.startswith(f"{one.origin}.") for text in problems)]
    before, after = (
        {one.name: one for one in entries if not any(other.may_be(one) for other in faulty)}
        for entries in (stored, desired)
    )
    for name in sorted(before.keys() - after.keys()):
        delete = sql.SQL("delete from auditctl.accepted_finding where (check_name, object) = ({}, {})")
        one = before[name]
        yield _change(ChangeKind.DROP, one, "The file accepts it no longer.", delete.format(one.check, one.object))
    for name, one in sorted(after.items()):
        values = [one.check, one.object, one.reason, one.until and one.until.isoformat()]
        if before.get(name) == one:
            continue
        upsert = sql.SQL(
            "insert into auditctl.accepted_finding (check_name, object, reason, until) values ({}, {}, {}, {}) "
            "on conflict (check_name, object) do update set (reason, until, set_by, set_at) = "
            "(excluded.reason, excluded.until, session_user, now())"
        ).format(*values)
        kind = ChangeKind.REPLACE if name in before else ChangeKind.CREATE
        until = f" until {one.until}" if one.until else ""
        yield _change(kind, one, f"The file accepts it{until}: {one.reason}", upsert)


def _change(kind: ChangeKind, one: Acceptance, reason: str, statement: sql.Composed) -> Change:
    statements = (Statement(statement.as_string(None), as_owner=True),)
    return Change(
        kind, one.name, Action.EVENT, f"finding {one.name}", reason, statements, records_itself=True, is_setting=True
    )
