"""What a table or glob is like before somebody says how to audit it: its columns, its key, and the rule in force."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl.capture import catalog, desired, resolve, rule_store, table_names, validate
from auditctl.capture.model import Catalog, Rule
from auditctl.capture.resolve import Resolution
from auditctl.capture.table_names import qualified
from auditctl.database import Connection


@dataclass(frozen=True, slots=True)
class Subject:
    """A table, or the tables of a glob.

    Attributes:
        name: As registered: `schema.table` or a glob.
        is_glob: Whether it may mean several tables.
        columns: The table's columns in order; empty for a glob, and for a table that is gone.
        primary_key: The columns of its primary key, in order.
        rule: What is in force for it, as a rule of that name; None where nothing is, and for a name that a rule only
            keeps from a glob.
        covered_by: The glob from which that comes; empty where the rule is its own.
        tables: What is audited by the glob now, by name; empty for a table.
        problem: Why it cannot be audited, as a sentence; empty where it can.
    """

    name: str
    is_glob: bool
    columns: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    rule: Rule | None = None
    covered_by: str = ""
    tables: tuple[str, ...] = ()
    problem: str = ""


def read(conn: Connection, name: str) -> Subject:
    """Look up a table or glob.

    Raises:
        UsageError: The name is none.
        DatabaseError: The login may not read auditctl.rule.
    """
    asked = Rule(name, (), origin=validate.FORM)
    with catalog.transaction(conn):
        stored = rule_store.read(conn)
        found = desired.looked_up(conn, [*stored, asked])
    resolution = resolve.resolve([asked], found, follow_renames=False)
    covering = resolve.resolve(stored, found, follow_renames=True)
    registered = resolution.rules[0].name
    problem = next((one.message for one in resolution.problems), "")
    if table_names.parse(registered).is_glob:
        own = desired.in_force(covering, registered)
        tables = tuple(qualified(*r.identity) for r, rule in covering.covered if rule.name == registered)
        return Subject(registered, True, rule=own, tables=tables, problem=problem)
    return _table(registered, found, covering, problem)


def _table(name: str, found: Catalog, covering: Resolution, problem: str) -> Subject:
    relation = next((r for r in found.relations if qualified(*r.identity) == name), None)
    over = desired.in_force(covering, name)
    rule = desired.narrowed(over, name, covering) if over is not None else None
    covered_by = over.name if over is not None and over.name != name else ""
    if relation is None:
        return Subject(name, False, rule=rule, covered_by=covered_by, problem=problem)
    return Subject(name, False, relation.columns, relation.primary_key, rule, covered_by, problem=problem)
