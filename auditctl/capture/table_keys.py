"""Reads by which columns the rows of audited tables are identified, and words it for plans.

The database decides (sql/functions/30_capture/key_indexes.sql), as the guard does without Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg.types.json import Jsonb

from auditctl import resources
from auditctl.actions import DEFAULT
from auditctl.capture.config import tables, toml
from auditctl.capture.model import Audited
from auditctl.capture.plan import Target
from auditctl.capture.precedence import Covering, listed
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection
from auditctl.text import plural

_UNKNOWN = "COLUMN"
"""Stands for a column that only people know."""


@dataclass(frozen=True, slots=True)
class TableKey:
    """What identifies the rows of a table without a primary key.

    Attributes:
        columns: The columns, in order; empty without any.
        index: The unique index that has them, with its schema; None for columns that the rule names.
    """

    columns: tuple[str, ...]
    index: str | None


def read(conn: Connection, audited: Iterable[Audited]) -> Mapping[int, TableKey]:
    """Return the keys of audited tables without a primary key, by object id (sql/queries/table_key.sql)."""
    captures = [one.rule.captured() | {"relation": one.root.oid} for one in audited if not one.root.primary_key]
    if not captures:
        return {}
    rows = conn.execute(resources.sql_text("queries/table_key.sql"), {"captures": Jsonb(captures)})
    return {oid: TableKey(tuple(columns), index) for oid, columns, index in rows}


def registered(conn: Connection) -> Mapping[str, Sequence[str]]:
    """Return the key of each table that was ever audited, by its registered name."""
    return dict(conn.execute("select target, key_columns from auditctl.target").fetchall())


def sentences(
    targets: Iterable[Target], keys: Mapping[int, TableKey], before: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield a sentence for each target with a new key: which, and what that means for what is in the log.

    Args:
        targets: The targets of a plan.
        keys: The keys of those without a primary key.
        before: The keys as they are registered.
    """
    for target in targets:
        known = before.get(target.renamed_from or target.name)
        index = keys[target.relation].index if target.relation in keys else None
        if known is not None and tuple(known) == target.key:
            continue
        source = f"unique index {index} ({', '.join(target.key)})" if index else f"({', '.join(target.key)})"
        if known and target.key:
            yield f"{target.name}: key: {source}, was ({', '.join(known)}): the histories of its rows begin anew"
        elif known:
            yield f"{target.name}: key: none, was ({', '.join(known)}): its events have no target_id from now on"
        elif index:
            yield f"{target.name}: key: {source}"


def warning(names: Sequence[str], *, is_whole: bool = False) -> str:
    """Return one warning for all tables without a key.

    Args:
        names: The registered names of the tables; at least one.
        is_whole: Whether to name all.
    """
    have = f"{names[0]} has no key" if len(names) == 1 else f"{plural(len(names), 'table')} have no key"
    which = "" if len(names) == 1 else f": {', '.join(names) if is_whole else listed(names)}"
    return f"{have}, so that events have no target_id{which}. Name the columns of one in the file:"


def remedy(name: str, coverings: Mapping[str, Covering]) -> list[str]:
    """Return the lines of a file that name the key of a table, and change nothing else of what is recorded."""
    rule = keyed(name, coverings.get(name))
    return toml.dumps([("[[table]]", section) for section in tables.sections([rule], {})]).splitlines()


def keyed(name: str, covering: Covering | None) -> Rule:
    """Return a table's own rule that leaves the key's columns to people, and changes nothing else of what is recorded.

    Args:
        name: The registered name of the table.
        covering: The rules that match it; None for none.
    """
    stated = covering.stated if covering else Rule(name, DEFAULT)
    rule = replace(stated, name=name, key=(_UNKNOWN,))
    # What a glob hides it inherits: also columns that the table gets later.
    return rule if stated.name == name else replace(rule, exclude=None, mask=None)
