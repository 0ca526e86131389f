"""What a complete log can explain: each change and its place, their number, and the rows that they lead to."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

EVENTS = """
    select action::text, target_id, old_values, new_values, context ->> 'partition',
           context ->> 'previous_target_id', target
      from auditctl.event where target = any (%s) order by event_id
"""

ROWS = """
    select nullif(format('%%s.%%s', n.nspname, c.relname), %(name)s), to_jsonb(t)
      from {table} as t
      join pg_class as c on c.oid = t.tableoid
      join pg_namespace as n on n.oid = c.relnamespace
"""

Change = tuple[str, str | None, Any, Any, str | None]
"""Action, key, old and new values, and the partition or child that the row is in; None for the table itself."""

Row = tuple[str | None, dict[str, Any]]
"""The partition or child that a row is in, and its values."""


def changes(conn: psycopg.Connection, target: str) -> list[Change]:
    """The events of a table, oldest first."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in conn.execute(EVENTS, [[target]])]


def counted(conn: psycopg.Connection, *targets: str) -> dict[str, int]:
    """How many events there are of each action."""
    return dict(Counter(row[0] for row in conn.execute(EVENTS, [list(targets)])))


def order(conn: psycopg.Connection, *targets: str) -> list[tuple[str, str, str | None]]:
    """The events of several tables as they followed each other: table without its schema, action, key."""
    return [(row[6].partition(".")[2], row[0], row[1]) for row in conn.execute(EVENTS, [list(targets)])]


def rows(conn: psycopg.Connection, name: str) -> list[Row]:
    """The rows that a table (`schema.table`) and its partitions and children hold now, sorted."""
    query = sql.SQL(ROWS).format(table=sql.Identifier(*name.split(".")))
    return sorted(((row[0], row[1]) for row in conn.execute(query, {"name": name})), key=_text)


def replay(
    conn: psycopg.Connection, name: str, before: Iterable[Row] = (), *, key: Sequence[str] = ("id",)
) -> list[Row]:
    """Make each recorded change again, and check that it was possible.

    Args:
        conn: A session that may read the log.
        name: The table, also as the events call it.
        before: Its rows when the log began.
        key: The columns of its key.

    Returns:
        The rows that come out, sorted; what `rows` returns, if nothing is missing and nothing was invented.
    """
    state = list(before)
    for action, target_id, old, new, place, previous, _ in conn.execute(EVENTS, [[name]]).fetchall():
        if action == "CREATE":
            state.append((place, new))
        elif action == "DELETE":
            assert (place, old) in state, f"no row {old} in {place} to delete"
            state.remove((place, old))
        elif action == "TRUNCATE":
            state = [row for row in state if row[0] != place]
        else:
            text = previous or target_id
            values = json.loads(text) if len(key) > 1 else [text]
            number = _find(state, place, dict(zip(key, values, strict=True)), old)
            state[number] = (place, state[number][1] | new)
    return sorted(state, key=_text)


def _text(row: Row) -> str:
    return json.dumps(row, sort_keys=True)


def _find(state: list[Row], place: str | None, key: dict[str, Any], old: dict[str, Any]) -> int:
    """The number of the row that an update found."""
    for number, (where, row) in enumerate(state):
        if where == place and row.items() >= old.items() and all(str(row[name]) == str(key[name]) for name in key):
            return number
    raise AssertionError(f"no row {key} with {old} in {place} to update")
