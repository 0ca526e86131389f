"""From the events alone a table is rebuilt exactly, whatever was written to it and under whatever settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from hypothesis import given
from psycopg import sql

from auditctl import database
from auditctl.capture import apply
from tests.support import kinds
from tests.support.capturing import rule
from tests.support.replay import rebuild
from tests.support.scenarios import SETTINGS, Scenario, Step, Table, scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditctl.database import Connection
    from tests.support.kinds import Kind

pytestmark = pytest.mark.slow

SCHEMAS = ("control", "live", "rebuilt")
"""Where the table is unaudited, audited, and filled from the log."""

TEXTS = """
    select string_agg(format('case when num_nulls(%%1$I) = 0 then format(''%%%%s'', %%1$I) end', attname), ', '
                      order by attnum)
      from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""


@pytest.fixture
def tables(db: str) -> Iterator[tuple[Connection, Sequence[Kind]]]:
    """A session that has the three schemas, and the kinds of columns that the server has."""
    with database.connect(db) as conn:
        conn.execute("set jit = off")  # compiling the queries that read the catalog takes longer than they do
        for schema in SCHEMAS:
            conn.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        yield conn, kinds.create(conn)


def test_the_log_of_any_changes_rebuilds_the_table(tables: tuple[Connection, Sequence[Kind]]) -> None:
    conn, able = tables
    generated = ["stored", "virtual"] if conn.info.server_version >= 180000 else ["stored"]

    @given(scenarios(able, generated))
    def rebuilds(scenario: Scenario) -> None:
        # All of it in one transaction, of which nothing stays for the next example.
        with conn.transaction(force_rollback=True):
            play(conn, scenario)
            assert_rebuilt(conn)

    rebuilds()


@pytest.mark.parametrize("late", ["", "alter table {t} add late text"], ids=["as generated", "altered since"])
def test_every_value_of_every_kind_is_rebuilt_after_changes_under_each_setting(
    tables: tuple[Connection, Sequence[Kind]], late: LiteralString
) -> None:
    conn, able = tables
    turn_through(conn, able, late)
    if late:
        conn.execute(late.replace("{t}", "rebuilt.t").encode())
    assert_rebuilt(conn)


def turn_through(conn: Connection, able: Sequence[Kind], late: LiteralString = "") -> None:
    """Under each value of each setting, give every row the values of the next; `late` is run after enabling."""
    columns = tuple((f"c{number}", kind) for number, kind in enumerate(able))
    table = Table(columns, (), (None,) * len(columns), None, 0)
    rows = max(len(kind.fixed) for kind in able) + 1
    conn.execute(table.definition("kinds.pool")[0].encode())
    for number in range(rows):
        conn.execute(f"insert into kinds.pool values {_row(able, number, rows)}".encode())
    steps = [Step(late)] * bool(late) + [Step("insert into {t} select * from kinds.pool")]
    assignments = ", ".join(f"{name} = p.{name}" for name, _ in columns)
    # What follows an altered table is slow: one value of each setting will do for it.
    changes = [(name, value) for name, values in SETTINGS.items() for value in (values[:1] if late else values)]
    for turn, change in enumerate(changes, start=1):
        turned = f"update {{t}} as t set {assignments} from kinds.pool as p where p.n = (t.n + {turn}) % {rows}"
        steps += [Step(setting=change), Step(turned)]
    play(conn, Scenario(table, steps))


def _row(able: Sequence[Kind], number: int, rows: int) -> str:
    """The row with each kind's values of that number, or its nulls at the end."""
    values = ("null" if number == rows - 1 else kind.fixed[number % len(kind.fixed)] for kind in able)
    return f"({number}, {', '.join(values)})"


def assert_rebuilt(conn: Connection) -> None:
    """Rebuild the audited table from the log, and compare it, and the unaudited one, with what it is."""
    rebuild(conn, "live.t", sql.Identifier("rebuilt", "t"))
    live = stored(conn, "live.t")
    assert stored(conn, "rebuilt.t") == live
    assert stored(conn, "control.t") == live


def play(conn: psycopg.Connection, scenario: Scenario) -> None:
    """Do everything to an audited table and to one that is not, which must make no difference."""
    for schema in SCHEMAS:
        for statement in scenario.table.definition(f"{schema}.t"):
            conn.execute(statement.encode())
    apply.enable(conn, rule("live.t"))
    for step in scenario.steps:
        if step.setting:
            conn.execute("select set_config(%s, %s, false)", step.setting)
            continue
        unaudited, audited = (carry_out(conn, step, f"{schema}.t") for schema in ("control", "live"))
        assert audited == unaudited


def carry_out(conn: psycopg.Connection, step: Step, table: str) -> list[str]:
    """Do one step; return the codes of its errors."""
    try:
        with conn.transaction(force_rollback=bool(step.undone)):
            if step.undone:
                return [code for each in step.undone for code in carry_out(conn, each, table)]
            statement = step.statement.replace("{t}", table).encode(conn.info.encoding)
            if step.copied is None:
                conn.execute(statement)
            else:
                _copy(conn, step.copied, statement)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return [error.sqlstate]
    return []


def _copy(conn: psycopg.Connection, rows: str, into: bytes) -> None:
    """Copy rows, as the output functions write them under the session's settings, into a table."""
    found = conn.execute(f"select * from {rows} as row".encode()).pgresult
    assert found is not None
    with conn.cursor().copy(into) as target:
        for row in range(found.ntuples):
            values = (found.get_value(row, column) for column in range(found.nfields))
            target.write(b"\t".join(b"\\N" if value is None else _escaped(value) for value in values) + b"\n")


def _escaped(value: bytes) -> bytes:
    for plain, written in ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r")):
        value = value.replace(plain, written)
    return value


def stored(conn: psycopg.Connection, table: str) -> list[tuple[str | None, ...]]:
    """The rows of a table, in an order of their own: each value as its type's output function writes it."""
    row = conn.execute(TEXTS, [table]).fetchone()
    assert row is not None
    return sorted(conn.execute(f"select {row[0]} from {table}".encode()), key=repr)
