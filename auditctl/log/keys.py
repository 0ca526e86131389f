"""Finds the texts under which the log has a key: every text that the key's types read as the same value means it.

The database decides, by the types of the columns (auditctl.find_key, queries/key_spelling.sql). A text that cannot be a
key of the named table is an error, not an empty answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row
from psycopg.sql import SQL

from auditctl import resources
from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.text import in_quotes

_MAX_SEARCHED = 10
"""How many targets are searched for a similar key."""


@dataclass(frozen=True, slots=True)
class Spellings:
    """The texts of a key in the events of some targets.

    Attributes:
        targets: Registered names, at least one.
        spellings: The texts, at least one; the first is how capture writes it.
        fault: Why the key cannot be one of these targets; None if it can, or if events have it.
        columns: The columns of the key with their types, such as `id integer`; None if they are not known.
    """

    targets: list[str]
    spellings: list[str]
    fault: str | None
    columns: str | None


@dataclass(frozen=True, slots=True)
class Key:
    """A key to search for.

    Attributes:
        text: As written.
        groups: How the targets spell it; empty before it is looked up, or if no target has events.
        of_any: Whether to search in all targets, and not in those that another filter names.
    """

    text: str
    groups: tuple[Spellings, ...] = ()
    of_any: bool = False


def find(conn: Connection, key: str, targets: Sequence[str] | None) -> tuple[Spellings, ...]:
    """Return how targets spell a key, in groups.

    Args:
        conn: The connection.
        key: The key, as people write it.
        targets: Registered names; None for every target of the log's events.

    Raises:
        UsageError: The key cannot be one of any of the named targets.
        DatabaseError: The login may not read the log.
    """
    names = "select pg_catalog.unnest(%(targets)s::text[])"
    source = SQL(names) if targets is not None else SQL(resources.sql_text("queries/event_target.sql"))
    query = SQL(resources.sql_text("queries/key_spelling.sql")).format(targets=source)
    with read_transaction(conn), conn.cursor(row_factory=class_row(Spellings)) as cursor:
        groups = tuple(cursor.execute(query, {"key": key, "targets": targets and list(targets)}))
    require_possible(key, groups, targets)
    return groups


def require_possible(key: str, groups: Sequence[Spellings], targets: Sequence[str] | None) -> None:
    """Make sure that one of the named targets can have a key.

    Raises:
        UsageError: None can.
    """
    if targets and groups and all(group.fault for group in groups):
        raise UsageError(
            f"{in_quotes(key)} is not a key of {targets[0]}: {groups[0].fault}", hint=_hint(groups[0].columns)
        )


def suggest(conn: Connection, key: str, targets: Sequence[str]) -> str:
    """Return a question that names keys like one that the log does not have; empty if there is none, or the log has it.

    Args:
        conn: The connection.
        key: The key, as people write it.
        targets: Registered names; beyond the first few they are not looked at.

    Raises:
        DatabaseError: The login may not read the log.
    """
    query = (
        "select distinct near from pg_catalog.unnest(%s::text[]) as target"
        " cross join lateral auditctl.near_keys(target, %s) as near order by 1 limit 3"
    )
    with read_transaction(conn):
        near = [in_quotes(text) for (text,) in conn.execute(query, [list(targets[:_MAX_SEARCHED]), key])]
    return f"Did you mean the key {' or '.join(near)}?" if near else ""


def _hint(columns: str | None) -> str:
    array = "a JSON array of " if columns and ", " in columns else ""
    return f"Its key is {array}{columns}." if columns else ""
