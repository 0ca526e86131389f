"""Which audited table a record means: by the name it had when the record was written.

Pure, over what `load` read from the database once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.sql import SQL

from auditctl import resources
from auditctl.capture.table_names import qualified
from auditctl.database import Connection, read_transaction

_TARGETS: LiteralString = "select target, registered_at from auditctl.target"
_RENAMES: LiteralString = "select renamed_at, old_target, new_target from auditctl.rename order by renamed_at"


@dataclass(frozen=True, slots=True)
class Rename:
    """A table was found under a new name.

    Attributes:
        at: From when on events carry it.
        old: The name before.
        new: The name since.
    """

    at: datetime
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Member:
    """A table as it is named now.

    Attributes:
        target: The audited table it belongs to.
        is_itself: Whether it is that table, and no partition or child of it.
    """

    target: str
    is_itself: bool


@dataclass(frozen=True, slots=True)
class Meant:
    """A table that is audited.

    Attributes:
        target: The name that events carry.
        leaf: The partition or child that was read instead, or None.
    """

    target: str
    leaf: str | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """What is known of the audited tables.

    Attributes:
        registered: Every name that was ever audited, and since when.
        renames: In the order of time.
        members: Tables, partitions and children by their name now, and the audited table they belong to.
        by_policy: The targets whose reads auditctl's policy records.
    """

    registered: Mapping[str, datetime]
    renames: Sequence[Rename]
    members: Mapping[str, Member]
    by_policy: frozenset[str] = frozenset()

    def meant(self, relation: tuple[str, str], at: datetime, *, or_any: bool = False) -> Meant | None:
        """Return the audited table that a relation was at a time; None where it was none.

        Args:
            relation: Schema and table.
            at: When it was read.
            or_any: Whether a table that is not audited is taken under its own name.
        """
        name = qualified(*relation)
        if member := self.members.get(name):
            return Meant(self.name_at(member.target, at), None if member.is_itself else name)
        if name in self.registered and not self._is_gone(name, at):
            return Meant(self.name_at(name, at))
        return Meant(name) if or_any else None

    def _is_gone(self, name: str, at: datetime) -> bool:
        """Whether the table had got another name by then: who has this one now is no audited table."""
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


NOTHING = Targets({}, (), {})
"""Where nothing is audited."""


def load(conn: Connection) -> Targets:
    """Read what is known of the audited tables (auditctl.target, auditctl.rename, auditctl.capture).

    Raises:
        DatabaseError: The login may not.
    """
    with read_transaction(conn):
        registered: dict[str, datetime] = dict(conn.execute(_TARGETS).fetchall())
        renames = conn.execute(_RENAMES).fetchall()
        members = conn.execute(SQL(resources.sql_text("queries/imported_member.sql"))).fetchall()
    return Targets(
        registered=registered,
        renames=tuple(Rename(*row) for row in renames),
        members={name: Member(target, is_itself) for name, target, is_itself, _ in members},
        by_policy=frozenset(target for _, target, _, is_read in members if is_read),
    )
