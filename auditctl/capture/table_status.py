"""Reads the state of every table, as `auditctl tables` shows it."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl.actions import Action
from auditctl.capture import catalog, planner, resolve, rule_store, validate
from auditctl.capture.plan import Change, ChangeKind, Plan
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection
from auditctl.table_names import qualified

STATES = ("missing", "disabled", "outdated", "ok", "unaudited")
"""Every state, the worst first."""

_STATES = {
    ChangeKind.CREATE: "missing",
    ChangeKind.ENABLE: "disabled",
    ChangeKind.REPLACE: "outdated",
    ChangeKind.DROP: "outdated",
}
"""The state of a table with a pending change of each kind, the worst first."""


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table.

    Attributes:
        table: `schema.table`.
        label: The label, or None.
        actions: The actions its rule captures, in the order of the registry.
        state: `ok`, `outdated`, `disabled`, `missing` or `unaudited`.
        reason: Why it is not ok, as a sentence; empty if it is.
        rule: The rule that covers it; None without one.
    """

    table: str
    label: str | None
    actions: tuple[Action, ...]
    state: str
    reason: str = ""
    rule: Rule | None = None


def read(conn: Connection, *, include_unaudited: bool = False) -> list[TableStatus]:
    """Return the tables sorted by name: those with a rule, and with `include_unaudited` those without.

    Raises:
        DatabaseError: The login may not read auditctl.rule.
    """
    with catalog.transaction(conn):
        stored = rule_store.read(conn)
        current = catalog.read(conn, lambda relation: resolve.needs(stored, relation))
        resolution = resolve.resolve(stored, current, follow_renames=True)
        plan = planner.plan(resolution, current, catalog.read_triggers(conn, resolution.audited))
    rows = {
        qualified(*relation.identity): _audited(qualified(*relation.identity), rule, plan)
        for relation, rule in resolution.covered
    }
    for problem in resolution.problems:
        state = "missing" if problem.is_missing else "outdated"
        rows[problem.rule.name] = TableStatus(
            problem.rule.name, problem.rule.label, problem.rule.actions, state, problem.message, problem.rule
        )
    for change in plan.pending:
        rows.setdefault(change.target, TableStatus(change.target, None, (), "outdated", change.reason))
    if include_unaudited:
        roots = {relation.identity for relation, _ in resolution.covered}
        for relation in current.relations:
            auditable = validate.refusal(relation) is None and not roots.intersection(relation.parents)
            if auditable:
                name = qualified(*relation.identity)
                rows.setdefault(name, TableStatus(name, None, (), "unaudited"))
    return [rows[name] for name in sorted(rows)]


def _audited(name: str, rule: Rule, plan: Plan) -> TableStatus:
    pending: list[Change] = [change for change in plan.pending if change.target == name]
    for kind, state in _STATES.items():
        for change in pending:
            if change.kind is kind:
                reason = f"{change.action} on {change.relation}: {change.reason}"
                return TableStatus(name, rule.label, rule.actions, state, reason, rule)
    return TableStatus(name, rule.label, rule.actions, "ok", rule=rule)
