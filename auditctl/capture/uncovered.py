"""Finds columns that a plan would record in the clear although they were excluded or masked until now.

It compares with what capture does, or last did (sql/queries/hidden_column.sql), not with rules. So it finds them
whichever way they lose their rule: by another rule, by none, by another order, or after a time without capture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from auditctl import resources
from auditctl.capture.model import Audited
from auditctl.capture.precedence import listed
from auditctl.database import Connection
from auditctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Columns of a table that were hidden until now.

    Attributes:
        table: The registered name.
        columns: The columns, in their order.
        rule: The name of the rule under which they are recorded in the clear.
    """

    table: str
    columns: tuple[str, ...]
    rule: str

    @property
    def sentence(self) -> str:
        """What happens, for a plan."""
        rule = "its own rule" if self.rule == self.table else f"rule {self.rule}"
        return f"{self.table}: {', '.join(self.columns)} was hidden until now, and is recorded in the clear by {rule}"


class UncoverError(UsageError):
    """A change would record hidden columns in the clear, and nobody agreed to that."""

    def __init__(self, uncovered: Iterable[Uncovered]) -> None:
        names = [f"{one.table} ({', '.join(one.columns)})" for one in uncovered]
        super().__init__(
            f"this would record in the clear what was hidden until now: {listed(names)}",
            hint="Nothing was changed. State the columns in mask or exclude; if you mean it, add --uncover.",
        )


def find(conn: Connection, audited: Iterable[Audited]) -> tuple[Uncovered, ...]:
    """Return what a plan for these tables uncovers, in their order.

    Args:
        conn: The connection; needs SELECT on auditctl.capture and auditctl.target.
        audited: The tables with the rules that should be in force.
    """
    recorded = [one for one in audited if one.rule.records_values]
    tables = [{"relation": one.root.oid, "target": one.target} for one in recorded]
    hidden: dict[int, list[str]] = dict(
        conn.execute(resources.sql_text("queries/hidden_column.sql"), {"tables": Jsonb(tables)}).fetchall()
    )
    found = []
    for one in recorded:
        present = dict.fromkeys(name for relation in (one.root, *one.members) for name in relation.columns)
        still = frozenset(one.rule.hidden)
        columns = tuple(name for name in present if name in hidden[one.root.oid] and name not in still)
        if columns:
            found.append(Uncovered(one.target, columns, one.rule.name))
    return tuple(found)


Agree = Callable[[tuple[Uncovered, ...]], bool]
"""Whether somebody agrees that these columns are recorded in the clear from now on."""


def never(_uncovered: tuple[Uncovered, ...]) -> bool:
    """Agree to nothing."""
    return False
