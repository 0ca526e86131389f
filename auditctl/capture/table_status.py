"""Reads the state of every table, as `auditctl tables` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auditctl.actions import Action
from auditctl.capture import catalog, desired, planner, resolve, rule_store, table_keys, validate
from auditctl.capture.plan import Change, ChangeKind
from auditctl.capture.precedence import Covering
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
    ChangeKind.STORE: "outdated",
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
        rule: The rule that covers it, or leaves it out; None without one.
        why: Which rule that is, and which others it comes before, as a phrase; empty without one.
    """

    table: str
    label: str | None
    actions: tuple[Action, ...]
    state: str
    reason: str = ""
    rule: Rule | None = None
    why: str = ""


def read(conn: Connection, *, include_unaudited: bool = False, only: tuple[str, ...] = ()) -> list[TableStatus]:
    """Return the tables sorted by name: those with a rule, and with `include_unaudited` those without.

    Args:
        conn: The connection.
        include_unaudited: Whether to include tables without a rule.
        only: The names and globs of the tables to look at; empty for all.

    Raises:
        DatabaseError: The login may not read auditctl.rule.
        UsageError: A name of `only` matches no table and no rule.
    """
    with catalog.snapshot(conn):
        stored = rule_store.read(conn)
        current, limits = desired.read_limited(conn, stored, only)
        within = limits.relations if limits else None
        resolution = resolve.resolve(stored, current, follow_renames=True, within=within)
        states = catalog.read_triggers(conn, resolution.audited)
        keys = table_keys.read(conn, resolution.audited)
        plan = planner.plan(resolution, current, states, only=limits.targets if limits else None, keys=keys)
    pending: dict[str, list[Change]] = {}
    for change in plan.pending:
        pending.setdefault(change.target, []).append(change)
    rows = {
        audited.target: _audited(resolution.coverings[audited.target], pending.get(audited.target, []))
        for audited in resolution.audited
    }
    for problem in resolution.problems:
        if limits is not None and not limits.concerns(problem.rule.name):
            continue
        state = "missing" if problem.is_missing else "outdated"
        rows[problem.rule.name] = TableStatus(
            problem.rule.name, problem.rule.label, problem.rule.actions, state, problem.message, problem.rule
        )
    for change in plan.pending:
        rows.setdefault(change.target, TableStatus(change.target, None, (), "outdated", change.reason))
    if include_unaudited:
        roots = {audited.root.identity for audited in resolution.audited}
        for relation in current.relations:
            auditable = validate.refusal(relation) is None and not roots.intersection(relation.parents)
            if auditable and (within is None or relation.identity in within):
                name = qualified(*relation.identity)
                rows.setdefault(name, _unaudited(name, resolution.coverings.get(name)))
    return [rows[name] for name in sorted(rows)]


def _unaudited(name: str, covering: Covering | None) -> TableStatus:
    if covering is None or covering.rule.actions:
        return TableStatus(name, None, (), "unaudited")
    return TableStatus(name, None, (), "unaudited", rule=covering.rule, why=f"left out by {covering.why}")


def _audited(covering: Covering, pending: Sequence[Change]) -> TableStatus:
    rule = covering.rule
    row = TableStatus(covering.table, rule.label, rule.actions, "ok", rule=rule, why=covering.why)
    for kind, state in _STATES.items():
        for change in pending:
            if change.kind is kind:
                return replace(row, state=state, reason=f"{change.action} on {change.relation}: {change.reason}")
    return row
