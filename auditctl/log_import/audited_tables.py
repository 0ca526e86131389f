"""Resolves the tables that log records name to audited tables, by the names they had when the record was written.

Pure, over what `load` read from the database once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.sql import SQL

from auditctl import resources
from auditctl.database import Connection, read_transaction
from auditctl.table_names import qualified

_TARGETS: LiteralString = "select target, registered_at from auditctl.target"
_RENAMES: LiteralString = "select renamed_at, old_target, new_target from auditctl.rename order by renamed_at"


@dataclass(frozen=True, slots=True)
class Rename:
    """A change of a table's name.

    Attributes:
        at: From when on events carry the new name.
        old: The former name.
        new: The new name.
    """

    at: datetime
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Member:
    """A table under its present name.

    Attributes:
        target: The audited table it belongs to.
        is_itself: Whether it is that table itself, not a partition or child.
    """

    target: str
    is_itself: bool


@dataclass(frozen=True, slots=True)
class AuditedTable:
    """The audited table that a record is about.

    Attributes:
        target: The name that events carry.
        leaf: The partition or child that was read, or None.
    """

    target: str
    leaf: str | None = None


@dataclass(frozen=True, slots=True)
class AuditedTables:
    """The audited tables and their names over time.

    Attributes:
        registered: Every name that was ever audited, and when it was registered.
        renames: In order of time.
        members: Tables, partitions and children by their present name.
        by_policy: The targets whose reads auditctl's policy records.
    """

    registered: Mapping[str, datetime]
    renames: Sequence[Rename]
    members: Mapping[str, Member]
    by_policy: frozenset[str] = frozenset()

    def find(self, relation: tuple[str, str], at: datetime, *, any_table: bool = False) -> AuditedTable | None:
        """Return the audited table that had a name at a time; None if no audited table had it.

        Args:
            relation: Schema and table.
            at: When it was read.
            any_table: Whether a table that is not audited is returned under its own name.
        """
        name = qualified(*relation)
        if member := self.members.get(name):
            return AuditedTable(self.name_at(member.target, at), None if member.is_itself else name)
        if name in self.registered and not self._is_gone(name, at):
            return AuditedTable(self.name_at(name, at))
        return AuditedTable(name) if any_table else None

    def _is_gone(self, name: str, at: datetime) -> bool:
        """Whether the table had been renamed by then: a table of this name is not the audited one."""
        latest = [rename for rename in self.renames if rename.at <= at and name in (rename.old, rename.new)]
        return bool(latest) and latest[-1].old == name

    def name_at(self, name: str, at: datetime) -> str:
        """Return the name that events of a table carried at a time, from one it had then or later."""
        seen = {name}
        while name in self.registered and self.registered[name] > at:
            renamed = next((rename for rename in self.renames if rename.new == name and rename.at > at), None)
            if renamed is None or renamed.old in seen or renamed.old not in self.registered:
                break
            name = renamed.old
            seen.add(name)
        return name


NO_TABLES = AuditedTables({}, (), {})
"""No table is audited."""


def load(conn: Connection) -> AuditedTables:
    """Read the audited tables (auditctl.target, auditctl.rename, auditctl.capture).

    Raises:
        DatabaseError: The login may not read them.
    """
    with read_transaction(conn):
        registered: dict[str, datetime] = dict(conn.execute(_TARGETS).fetchall())
        renames = conn.execute(_RENAMES).fetchall()
        members = conn.execute(SQL(resources.sql_text("queries/imported_member.sql"))).fetchall()
    return AuditedTables(
        registered=registered,
        renames=tuple(Rename(*row) for row in renames),
        members={name: Member(target, is_itself) for name, target, is_itself, _ in members},
        by_policy=frozenset(target for _, target, _, is_read in members if is_read),
    )
