"""Random tables, and random statements that write to them under random settings of the session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.support.kinds import Kind, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hypothesis.strategies import DrawFn

SETTINGS = {
    "TimeZone": ("UTC", "Asia/Kathmandu", "America/St_Johns", "<x>-12:34"),
    "DateStyle": ("ISO, DMY", "German, DMY", "SQL, DMY", "Postgres, MDY", "Postgres, YMD"),
    "IntervalStyle": ("postgres", "postgres_verbose", "sql_standard", "iso_8601"),
    "extra_float_digits": ("-15", "-3", "0", "1", "3"),
    "bytea_output": ("hex", "escape"),
    "lc_monetary": ("C", "C.UTF-8"),
    "quote_all_identifiers": ("on", "off"),
    "xmloption": ("document", "content"),
    "xmlbinary": ("base64", "hex"),
    "standard_conforming_strings": ("on", "off"),
    "escape_string_warning": ("on", "off"),
    "array_nulls": ("off", "on"),
    "client_encoding": ("LATIN1", "UTF8"),
    "search_path": ("public", "pg_temp", "kinds, public", "auditctl, auditctl_triggers, pg_catalog", ""),
}
"""What a session may set, and must not matter."""

NAMES = (
    "a", "t", "new", "old", "tg_op", "v_old", "v_new", "v_who", "v_target_id", "c", "auditctl", "null", "Capital",
    'quo"te', "per%cent %s %1$I", "$$", "$auditctl", "back\\slash", "um l\xe4ut", "{brace}", "x" * 63, "\xfc" * 31, "'",
)  # fmt: skip
"""Names of columns that are trouble; all within LATIN1."""

NO_DEFAULT = ("select", "regrole")
"""What no column's default may hold."""

MARK = texts("integer", "0", "1", "2")
"""The column `n`, by which statements choose rows."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to create under several names."""

    columns: tuple[tuple[str, Kind], ...]
    key: tuple[str, ...]
    defaults: tuple[str | None, ...]
    generated: str | None
    partitions: int

    def definition(self, name: str) -> list[str]:
        """The statements that create it as `name`."""
        lines = ["n integer"]
        for (column, kind), default in zip(self.columns, self.defaults, strict=True):
            lines.append(f"{identifier(column)} {kind.type}" + (f" default {default}" if default else ""))
        if self.generated:
            lines.append(f"twice integer generated always as (n * 2) {self.generated}")
        if self.key:
            lines.append(f"primary key ({', '.join(map(identifier, self.key))})")
        whole = f"create table {name} ({', '.join(lines)})"
        if not self.partitions:
            return [whole]
        parts = (
            f"create table {name}_{part} partition of {name} "
            f"for values with (modulus {self.partitions}, remainder {part})"
            for part in range(self.partitions)
        )
        return [f"{whole} partition by hash ({identifier(self.key[0])})", *parts]


@dataclass(frozen=True, slots=True)
class Step:
    """What a session does next, one of these.

    Attributes:
        statement: A statement, in which `{t}` is the table.
        copied: Rows, if the statement is COPY.
        setting: A setting and its value.
        undone: Steps of which nothing stays, because a savepoint is rolled back.
    """

    statement: str = ""
    copied: str | None = None
    setting: tuple[str, str] | None = None
    undone: tuple[Step, ...] = ()

    def __str__(self) -> str:
        if self.setting:
            return "set {} = '{}'".format(*self.setting)
        if self.undone:
            return "; ".join(("savepoint s", *map(str, self.undone), "rollback to s"))
        return self.statement.replace("{t}", "t") + (f" ({self.copied})" if self.copied else "")


@dataclass(frozen=True, slots=True, repr=False)
class Scenario:
    """A table and what happens to it."""

    table: Table
    steps: list[Step]

    def __repr__(self) -> str:
        return ";\n".join(["", *self.table.definition("t"), *map(str, self.steps), ""])


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def scenarios(kinds: Sequence[Kind], generated: Sequence[str]) -> st.SearchStrategy[Scenario]:
    """Scenarios over some kinds; `generated` are the ways of generated columns that the server knows."""

    @st.composite
    def draw_scenario(draw: DrawFn) -> Scenario:
        table = draw(_tables(kinds, generated))
        return Scenario(table, draw(st.lists(_steps(table), min_size=3, max_size=12)))

    return draw_scenario()


@st.composite
def _tables(draw: DrawFn, kinds: Sequence[Kind], generated: Sequence[str]) -> Table:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=10, unique=True))
    columns = tuple((name, draw(st.sampled_from(kinds))) for name in names)
    keys = [name for name, kind in columns if kind.is_key]
    key = tuple(draw(st.lists(st.sampled_from(keys), max_size=2, unique=True))) if keys else ()
    defaults = tuple(draw(st.none() | kind.values) if name not in key else None for name, kind in columns)
    return Table(
        columns,
        key,
        tuple(None if default and any(word in default for word in NO_DEFAULT) else default for default in defaults),
        draw(st.sampled_from([None, *generated])),
        draw(st.sampled_from([0, 0, 2])) if key else 0,
    )


def _steps(table: Table) -> st.SearchStrategy[Step]:
    changes = [_inserts(table), _inserts(table), _updates(table), _updates(table), _deletes(table), _copies(table)]
    if table.key:
        changes.append(_upserts(table))
    truncate = st.just(Step("truncate {t}"))
    undone = st.lists(st.one_of(changes), min_size=1, max_size=2).map(lambda steps: Step(undone=tuple(steps)))
    setting = st.sampled_from(sorted(SETTINGS)).flatmap(
        lambda name: st.sampled_from(SETTINGS[name]).map(lambda value: Step(setting=(name, value)))
    )
    return st.one_of(*changes, *changes, setting, setting, setting, undone, truncate)


def _rows(columns: Iterable[tuple[str, Kind]], size: int) -> st.SearchStrategy[str]:
    """Several rows for VALUES."""
    values = [_optional(kind) for _, kind in columns]
    row = st.tuples(*values).map(lambda found: f"({', '.join(found)})")
    return st.lists(row, min_size=1, max_size=size).map(", ".join)


def _optional(kind: Kind) -> st.SearchStrategy[str]:
    values = kind.values
    return st.one_of(values, values, values, st.just(f"null::{kind.type.partition(' collate ')[0]}"))


def _columns(table: Table) -> tuple[tuple[str, Kind], ...]:
    return (("n", MARK), *table.columns)


def _list(columns: Iterable[tuple[str, Kind]]) -> str:
    return ", ".join(identifier(name) for name, _ in columns)


@st.composite
def _inserts(draw: DrawFn, table: Table) -> Step:
    columns = _columns(table)
    if draw(st.booleans()):
        columns = tuple(c for c in columns if c[0] == "n" or c[0] in table.key or draw(st.booleans()))
    rows = draw(_rows(columns, 3))
    return Step(f"insert into {{t}} ({_list(columns)}) values {rows}")


@st.composite
def _copies(draw: DrawFn, table: Table) -> Step:
    columns = _columns(table)
    return Step(f"copy {{t}} ({_list(columns)}) from stdin", copied=f"(values {draw(_rows(columns, 3))})")


@st.composite
def _assignments(draw: DrawFn, table: Table) -> str:
    columns = draw(st.lists(st.sampled_from(_columns(table)), min_size=1, max_size=3, unique_by=lambda c: c[0]))
    return ", ".join(f"{identifier(name)} = {draw(_optional(kind))}" for name, kind in columns)


CONDITIONS = st.sampled_from(["true", "n = 0", "n = 1", "n = 2", "n is null"])


@st.composite
def _updates(draw: DrawFn, table: Table) -> Step:
    return Step(f"update {{t}} set {draw(_assignments(table))} where {draw(CONDITIONS)}")


@st.composite
def _deletes(draw: DrawFn, table: Table) -> Step:
    return Step(f"delete from {{t}} where {draw(CONDITIONS)}")


@st.composite
def _upserts(draw: DrawFn, table: Table) -> Step:
    columns = _columns(table)
    key = ", ".join(map(identifier, table.key))
    action = "nothing" if draw(st.booleans()) else f"update set {draw(_assignments(table))}"
    rows = draw(_rows(columns, 2))
    return Step(f"insert into {{t}} as own ({_list(columns)}) values {rows} on conflict ({key}) do {action}")
