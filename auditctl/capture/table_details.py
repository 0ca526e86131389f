"""Reads the details of one table or glob for a form: its columns, its key, and the rule in force."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl import table_names
from auditctl.capture import catalog, desired, resolve, rule_store, validate
from auditctl.capture.model import Catalog
from auditctl.capture.resolve import Resolution
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection
from auditctl.table_names import qualified


@dataclass(frozen=True, slots=True)
class TableDetails:
    """A table, or the tables of a glob.

    Attributes:
        name: As registered: `schema.table` or a glob.
        is_glob: Whether it may mean several tables.
        columns: The table's columns in order; empty for a glob, and for a table that is gone.
        primary_key: The columns of its primary key, in order.
        rule: The rule in force, under that name; None without one.
        covered_by: The glob of that rule; empty if the rule is the table's own.
        tables: The tables that the glob covers now, by name; empty for a table.
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


def read(conn: Connection, name: str) -> TableDetails:
    """Read the details of a table or glob.

    Raises:
        UsageError: The name is not valid.
        DatabaseError: The login may not read auditctl.rule.
    """
    probe = Rule(name, (), origin=validate.FORM)
    with catalog.transaction(conn):
        stored = rule_store.read(conn)
        current = desired.read_catalog(conn, [*stored, probe])
    resolution = resolve.resolve([probe], current, follow_renames=False)
    covering = resolve.resolve(stored, current, follow_renames=True)
    registered = resolution.rules[0].name
    problem = next((one.message for one in resolution.problems), "")
    if table_names.parse(registered).is_glob:
        own = desired.rule_in_force(covering, registered)
        tables = tuple(qualified(*r.identity) for r, rule in covering.covered if rule.name == registered)
        return TableDetails(registered, True, rule=own, tables=tables, problem=problem)
    return _table(registered, current, covering, problem)


def _table(name: str, current: Catalog, covering: Resolution, problem: str) -> TableDetails:
    relation = next((r for r in current.relations if qualified(*r.identity) == name), None)
    covering_rule = desired.rule_in_force(covering, name)
    rule = desired.rule_for_table(covering_rule, name, covering) if covering_rule is not None else None
    covered_by = covering_rule.name if covering_rule is not None and covering_rule.name != name else ""
    if relation is None:
        return TableDetails(name, False, rule=rule, covered_by=covered_by, problem=problem)
    return TableDetails(name, False, relation.columns, relation.primary_key, rule, covered_by, problem=problem)
