"""Reads the details of one table or glob for a form: its columns, its key, and the rule in force."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl import table_names
from auditctl.actions import OPTIONS, Action
from auditctl.capture import catalog, desired, exclusion, resolve, rule_store, validate
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
        matching: The audited tables that the glob matches now, whichever rules cover them, by name; likewise.
        actions: The actions that are recorded now, of the table or of any that the glob matches.
        problem: Why it cannot be audited, as a sentence; empty where it can.
    """

    name: str
    is_glob: bool
    columns: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    rule: Rule | None = None
    covered_by: str = ""
    tables: tuple[str, ...] = ()
    matching: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    problem: str = ""


def read(conn: Connection, name: str) -> TableDetails:
    """Read the details of a table or glob.

    Raises:
        UsageError: The name is not valid.
        DatabaseError: The login may not read auditctl.rule.
    """
    probe = Rule(name, (), origin=validate.FORM)
    with catalog.snapshot(conn):
        stored = rule_store.read(conn)
        current = desired.read_catalog(conn, [*stored, probe])
    resolution = resolve.resolve([probe], current, follow_renames=False)
    covering = resolve.resolve(stored, current, follow_renames=True)
    registered = resolution.rules[0].name
    problem = next((one.message for one in resolution.problems), "")
    if table_names.parse(registered).is_glob:
        return _glob(registered, covering, problem)
    return _table(registered, current, covering, problem)


def _glob(name: str, covering: Resolution, problem: str) -> TableDetails:
    matches = table_names.parse(name).matches
    audited = [one for one in covering.audited if matches(*one.root.identity)]
    recorded = {action for one in audited for action in one.rule.actions}
    own = exclusion.rule_in_force(covering, name)
    return TableDetails(
        name,
        True,
        rule=own,
        tables=tuple(one.target for one in audited if one.rule.name == name),
        matching=tuple(one.target for one in audited),
        actions=tuple(action for action in OPTIONS.values() if action in recorded or (own and action in own.actions)),
        problem=problem,
    )


def _table(name: str, current: Catalog, covering: Resolution, problem: str) -> TableDetails:
    relation = next((r for r in current.relations if qualified(*r.identity) == name), None)
    covering_rule = exclusion.rule_in_force(covering, name)
    rule = exclusion.rule_for_table(covering_rule, name, covering) if covering_rule is not None else None
    covered_by = covering_rule.name if covering_rule is not None and covering_rule.name != name else ""
    return TableDetails(
        name,
        False,
        relation.columns if relation else (),
        relation.primary_key if relation else (),
        rule,
        covered_by,
        actions=rule.actions if rule else (),
        problem=problem,
    )
