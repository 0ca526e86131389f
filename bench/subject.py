"""The tables that are written to, and the statements that write: the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice

VALUES = {
    "integer": "i",
    "text": "'text value ' || i",
    "numeric": "i * 1.5",
    "timestamptz": "now()",
    "boolean": "true",
    "date": "current_date",
    "uuid": "gen_random_uuid()",
    "bigint": "i",
    "jsonb": "jsonb_build_object('a', i)",
    "text[]": "array['a', 'b']",
}
"""Types of the columns after the key, in turn, and the value of each in row `i`."""

STATEMENTS = ("insert", "update", "delete")
"""In the order in which they run."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A table with an integer key and columns of every type in turn.

    Attributes:
        name: Its name, in schema public.
        width: How many columns it has.
    """

    name: str
    width: int

    @property
    def columns(self) -> dict[str, str]:
        """The columns after the key `id`, in order: name to type."""
        types = islice(cycle(VALUES), self.width - 1)
        return {f"c{number}": kind for number, kind in enumerate(types, start=1)}

    @property
    def definition(self) -> str:
        """The statement that creates it."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"create table {self.name} (id integer primary key, {columns})"

    def one(self, statement: str, row: str = "i") -> str:
        """The statement for one row alone; an insert is always of row `i`."""
        if statement == "insert":
            return f"insert into {self.name} select {self._row()}"
        return f"{self._all(statement)} where id = {row}"

    def loop(self, statement: str, rows: int) -> str:
        """One statement for each of the first rows, in a loop on the server, as one transaction."""
        return f"do $$ begin for i in 1..{rows} loop {self.one(statement)}; end loop; end $$"

    def bulk(self, statement: str, rows: int) -> str:
        """One statement for all rows; an insert makes that many."""
        if statement == "insert":
            return f"insert into {self.name} select {self._row()} from generate_series(1, {rows}) as i"
        return self._all(statement)

    def _all(self, statement: str) -> str:
        if statement == "delete":
            return f"delete from {self.name}"
        return f"update {self.name} set c1 = c1 + 1, c2 = 'text value ' || (c1 + 1)"

    def _row(self) -> str:
        return ", ".join(["i", *(VALUES[kind] for kind in self.columns.values())])


NARROW = Subject("narrow", 17)
WIDE = Subject("wide", 200)
