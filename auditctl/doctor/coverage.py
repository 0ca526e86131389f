"""Compares capture with the stored rules, as `apply` does, and sorts the differences by check. Changes nothing.

A rule that does not fit the database is a finding of its own and hides no other. When triggers fire, and who owns and
may execute functions, have checks of their own, so that nothing is found twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from auditctl import resources, table_names
from auditctl.actions import BY_ACTION, Action
from auditctl.capture import catalog, desired, planner, render, resolve, rule_store, table_keys
from auditctl.capture.model import Relation, TriggerState
from auditctl.capture.plan import ChangeKind
from auditctl.capture.resolve import Problem
from auditctl.database import Connection
from auditctl.doctor import clear_values, lost_tables, rule_repair
from auditctl.doctor.model import Coverage, FormerColumns, ResultRow
from auditctl.table_names import qualified
from auditctl.text import plural

_THOROUGH = "auditctl apply --yes --thorough"
"""The remedy for functions whose digests say that they are sound."""


def read(conn: Connection, limit: int | None = clear_values.LIMIT, only: tuple[str, ...] = ()) -> Coverage:
    """Compare; inside the caller's transaction.

    Args:
        conn: The connection.
        limit: How many events, the newest, are examined for values in the clear; None for all.
        only: The names and globs of the tables to look at; empty for all.

    Raises:
        DatabaseError: The login may not read auditctl.rule or auditctl.capture.
        UsageError: A name of `only` matches no table and no rule.
    """
    stored = rule_store.read(conn)
    current, limits = desired.read_limited(conn, stored, only)
    within = limits.relations if limits else None
    resolution = resolve.resolve(stored, current, follow_renames=True, within=within)
    states = catalog.read_triggers(conn, resolution.audited, is_thorough=True)
    forged = frozenset((s.relation, s.action) for s in states if any(fault.kind == "forged" for fault in s.faults))
    granted = tuple(f"{state.function} {state.grantee}" for state in states if state.grantee)
    names = limits.targets if limits else None
    keys = table_keys.read(conn, resolution.audited)
    plan = planner.plan(resolution, current, tuple(map(_without_other_checks, states)), only=names, keys=keys)
    changed = _changed_templates(conn)
    former = _former_columns(conn)
    detached, renamed = lost_tables.detached(conn), lost_tables.renamed(conn)
    return Coverage(
        current,
        resolution,
        plan,
        detached,
        renamed,
        granted,
        forged,
        changed,
        former,
        clear_values.read(conn, limit, limits),
        limits,
    )


def _former_columns(conn: Connection) -> FormerColumns:
    former: dict[str, dict[str, str | None]] = {}
    for table, name, now in conn.execute(resources.sql_text("queries/former_column.sql").encode()):
        former.setdefault(table, {})[name] = now
    return former


def _changed_templates(conn: Connection) -> tuple[str, ...]:
    stored = {
        action: tuple(parts) for action, parts in conn.execute("select action::text, parts from auditctl.template")
    }
    return tuple(action.value for action, parts in render.templates().items() if stored.get(action.value) != parts)


def _without_other_checks(state: TriggerState) -> TriggerState:
    """Return what is wrong with a trigger, but for when it fires, and who owns and may execute its function."""
    return replace(state, faults=tuple(f for f in state.faults if f.kind not in ("firing", "privileges")))


def changed_templates(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the actions whose functions the database makes from another template than this tool's."""
    return [{"object": f"auditctl.template {action}", "action": action} for action in coverage.changed_templates]


def broken_rules(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the rules that do not fit, each with all its problems and the command that repairs it."""
    by_rule: dict[str, list[Problem]] = {}
    for problem in coverage.resolution.problems:
        by_rule.setdefault(problem.rule.name, []).append(problem)
    return [_broken(coverage, problems) for _, problems in sorted(by_rule.items())]


def _broken(coverage: Coverage, problems: Sequence[Problem]) -> ResultRow:
    rule = problems[0].rule
    place = f"rule {rule.name}: "
    texts = (problem.message.removeprefix(place) for problem in problems)
    return {
        "object": rule.name,
        "rule": rule.name,
        "problem": "; ".join(dict.fromkeys(texts)),
        "remedy": rule_repair.remedy(rule, coverage.catalog, coverage.former_columns),
    }


def uncaptured_tables(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the covered tables without any trigger of ours."""
    covering = {qualified(*relation.identity): rule.name for relation, rule in coverage.resolution.covered}
    return [
        {"object": name, "actions": actions, "rule": covering[name]}
        for name, _, actions in _missing(coverage)
        if name in covering and not _is_captured(coverage, name)
    ]


def missing_triggers(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the covered tables that lack some of their triggers."""
    return [
        {"object": name, "actions": actions}
        for name, target, actions in _missing(coverage)
        if name == target and _is_captured(coverage, name)
    ]


def uncaptured_members(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the partitions and children that lack triggers, but for tables that have none at all."""
    return [
        {"object": name, "actions": actions, "target": target}
        for name, target, actions in _missing(coverage)
        if name != target and _is_captured(coverage, target)
    ]


def changed_capture(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the triggers and functions that are different from what their rules need."""
    return [
        {
            "object": f"{change.relation} {_verb(change.action)}",
            "relation": change.relation,
            "action": _verb(change.action),
            "reason": change.reason,
        }
        | ({"remedy": _THOROUGH} if (change.relation_oid, change.action) in coverage.forged else {})
        for change in coverage.plan.pending
        if change.kind is ChangeKind.REPLACE and change.relation not in coverage.detached_names
    ]


def unwanted_triggers(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the relations with triggers that no rule asks for; broken rules may have asked for theirs."""
    excused = {p.rule.name for p in coverage.resolution.problems}
    dropped = {c.relation: c for c in coverage.plan.pending if c.kind is ChangeKind.DROP}
    tables = {qualified(*r.identity): r for r in coverage.catalog.relations}
    return [
        {"object": name, "relation": name}
        for name, change in sorted(dropped.items())
        if name in tables
        and name not in coverage.detached_names
        and not _any_rule_covers(excused, {name, change.target, *_family(tables[name])})
    ]


def unwatched_tables(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the captured tables that the coverage guard does not watch."""
    return [
        {"object": qualified(*relation.identity)}
        for relation, _ in coverage.resolution.covered
        if relation.triggers and relation.registration is None
    ]


def changed_registrations(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the tables that are known otherwise than their rules say, where triggers and policies are as they say."""
    tables = {qualified(*relation.identity): relation for relation, _ in coverage.resolution.covered}
    return [
        {"object": change.relation, "reason": change.reason}
        for change in coverage.plan.pending
        if change.kind is ChangeKind.STORE and tables[change.relation].registration is not None
    ]


def keyless_tables(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the covered tables whose updates and deletions do not name a row."""
    return [
        {"object": name, "table": name, "remedy": rule_repair.keyed(name, coverage.plan.coverings.get(name))}
        for name in coverage.plan.keyless
    ]


def events_in_the_clear(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the targets with events that show what a rule hid when they were written."""
    return [
        {
            "object": clear.target,
            "events": plural(clear.events, "event"),
            "columns": ", ".join(clear.columns),
            "since": _minute(clear.since),
            "until": _minute(clear.until),
        }
        for clear in coverage.clear_values.targets
    ]


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _missing(coverage: Coverage) -> list[tuple[str, str, str]]:
    """Return relation, target and actions of what has to be created; clones come with their parent's trigger."""
    missing: dict[tuple[str, str], list[str]] = {}
    for change in coverage.plan.pending:
        if change.kind is ChangeKind.CREATE and change.statements and change.relation not in coverage.detached_names:
            missing.setdefault((change.relation, change.target), []).append(_verb(change.action))
    return [(relation, target, _listed(verbs)) for (relation, target), verbs in missing.items()]


def _is_captured(coverage: Coverage, name: str) -> bool:
    relations = (r for r in coverage.catalog.relations if qualified(*r.identity) == name)
    return any(r.triggers or (r.reading is not None and r.reading.is_ours) for r in relations)


def _any_rule_covers(names: Iterable[str], family: set[str]) -> bool:
    """Whether a rule with one of these names or globs covers a member of the family."""
    patterns = [table_names.parse(name) for name in names]
    members = [table_names.parse(name) for name in family]
    return any(
        pattern.matches(member.schema.text, member.table.text)
        for pattern in patterns
        for member in members
        if member.schema is not None
    )


def _family(relation: Relation) -> set[str]:
    return {qualified(*parent) for parent in relation.parents}


def _verb(action: Action) -> str:
    return BY_ACTION[action].statement if action in BY_ACTION else action.lower()


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
