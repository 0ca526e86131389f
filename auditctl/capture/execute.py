"""Applies one batch of a plan, inside the caller's transaction, and makes sure that nothing of it remains to be done.

What locks no table comes first; then all tables are locked, and only then rows of the store, as DDL does it; then the
rest, for which writers wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.capture import catalog, planner, rule_store, statements, table_keys
from auditctl.capture.batches import Batch
from auditctl.capture.desired import DesiredRules
from auditctl.capture.model import LOCKING, OTHER, Audited, Catalog, EventType, Relation, Statement
from auditctl.capture.plan import Change, ChangeKind, Plan, action_names
from auditctl.capture.resolve import Resolution
from auditctl.database import Connection
from auditctl.errors import AuditctlError
from auditctl.names import ROLE_OWNER
from auditctl.retention import times

_DONE = {
    ChangeKind.CREATE: "installed:",
    ChangeKind.REPLACE: "replaced:",
    ChangeKind.ENABLE: "enabled again:",
    ChangeKind.DROP: "removed:",
}


_MODES = ("access share", "share", "share row exclusive", "access exclusive")
"""The modes in which tables are locked, the weakest first."""


class OutdatedPlanError(AuditctlError):
    """The database changed after the plan was made; nothing was done."""


class UnfinishedError(OutdatedPlanError):
    """Something that was done is still to be done: the database changed, or something undoes it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it was made from.

    Attributes:
        plan: The plan.
        goal: The desired rules.
        audited: The tables of its targets, with their members.
        current: What the database had.
        event_types: The types of business events that it had.
    """

    plan: Plan
    goal: DesiredRules
    audited: tuple[Audited, ...]
    current: Catalog
    event_types: tuple[EventType, ...]


def run(conn: Connection, prepared: Prepared, batch: Batch) -> None:
    """Apply a batch; the configuration is locked.

    Raises:
        OutdatedPlanError: Something of it is still to be done; roll back, and plan again.
        DatabaseError: No permission, or a lock was not granted in time.
    """
    steps = statements.ordered(batch.changes)
    uncalled = _uncalled(prepared.current, batch.changes)
    early = [(c, s) for c, s in steps if s.step < LOCKING and c.digest is not None and c.digest[0] in uncalled]
    _execute(conn, early)
    lock_tables(conn, batch)
    _require_present(conn, batch)
    rule_store.begin(conn, batch, prepared.plan.rules if batch.is_first else None)
    _execute(conn, [step for step in steps if step not in early])
    known = (relation.oid for relation in prepared.current.relations)
    rule_store.finish(conn, batch, prepared.plan, prepared.goal.only, known)
    with database.acting_as(conn, ROLE_OWNER):
        if batch.is_last:
            times.write(conn, prepared.plan.retention.differences)
        _record(conn, batch.changes)
    require_done(conn, prepared, batch)


def _uncalled(current: Catalog, changes: Iterable[Change]) -> frozenset[str]:
    """Return the functions that no trigger calls yet: the guard lets them be whatever they are."""
    called = {trigger.function[1] for relation in current.relations for trigger in relation.triggers}
    return frozenset(change.digest[0] for change in changes if change.digest and change.digest[0] not in called)


def _execute(conn: Connection, steps: Iterable[tuple[Change, Statement]]) -> None:
    """Run statements, each as the role it needs, in as few round trips as possible."""
    statements.run(conn, _with_roles(steps))


def _with_roles(steps: Iterable[tuple[Change, Statement]]) -> Iterator[tuple[str, str]]:
    is_owner = False
    for change, statement in steps:
        if statement.as_owner is not is_owner:
            is_owner = statement.as_owner
            yield change.relation, f"set local role {ROLE_OWNER}" if is_owner else "reset role"
        yield change.relation, statement.sql
    if is_owner:
        yield "", "reset role"


def lock_tables(conn: Connection, batch: Batch, *, is_administered: bool = False) -> None:
    """Lock every table that a statement of the batch locks, and those that hide more from now on.

    Transactions that wrote with the former functions end first: no event after that of the rule shows what it hides.

    Args:
        conn: The connection.
        batch: The batch.
        is_administered: Whether the login locks by auditctl.lock_table, as it has no rights on the tables.
    """
    # Their columns are read again once rows of the store are locked, for which DDL on them may wait.
    modes = {one.root.oid: "access share" for one in batch.audited}
    modes |= dict.fromkeys(rule_store.hiding_more(conn, batch.targets), "share")
    for change in batch.changes:
        steps = {statement.step for statement in change.statements if statement.step >= LOCKING}
        if change.relation_oid is not None and steps:
            # To create a trigger lets readers go on; to drop one, or to change policies, does not.
            mode = "share row exclusive" if all(LOCKING < step < OTHER for step in steps) else "access exclusive"
            known = modes.get(change.relation_oid, "access share")
            modes[change.relation_oid] = max(known, mode, key=_MODES.index)
    if modes:
        tables = Jsonb([{"relation": oid, "mode": mode} for oid, mode in sorted(modes.items())])
        text = sql.SQL(resources.sql_text("queries/lock_tables.sql"))
        with database.errors_translated():
            conn.execute(text.format(tables=sql.Literal(tables), is_administered=sql.Literal(is_administered)))


def _require_present(conn: Connection, batch: Batch) -> None:
    """Raise OutdatedPlanError if a table of the batch was dropped before it was locked: it is not to be registered."""
    roots = sorted({one.root.oid for one in batch.audited} | {target.relation for target in batch.targets})
    query = "select count(*) from pg_catalog.pg_class where oid = any (%s::oid[])"
    if conn.execute(query, [roots]).fetchone() != (len(roots),):
        raise OutdatedPlanError


def _record(conn: Connection, changes: Iterable[Change]) -> None:
    """Record the changes of triggers: one event for each table."""
    by_target: dict[str, list[Change]] = {}
    for change in changes:
        if change.statements and not change.records_itself:
            by_target.setdefault(change.target, []).append(change)
    events = []
    for target, done in by_target.items():
        summary = "; ".join(
            f"{_DONE[kind]} {action_names(c for c in done if c.kind is kind)}"
            for kind in dict.fromkeys(c.kind for c in done)
        )
        data = [{"kind": c.kind, "action": c.action, "relation": c.relation, "reason": c.reason} for c in done]
        events.append({"target": target, "changes": data, "summary": f"capture {summary}"})
    conn.execute(resources.sql_text("queries/record_changes.sql"), {"events": Jsonb(events)})


def require_done(conn: Connection, prepared: Prepared, batch: Batch) -> None:
    """Plan again for what the batch touched, and for the members that its tables have by now."""
    members = rule_store.members(conn, [target.relation for target in batch.targets])
    dropped = [change for change in batch.changes if change.relation_oid is not None]
    oids = {change.relation_oid for change in dropped} | {oid for group in members.values() for oid in group}
    oids |= {relation.oid for one in batch.audited for relation in (one.root, *one.members)}
    current = catalog.read_again(conn, sorted(oid for oid in oids if oid is not None))
    relations = {relation.oid: relation for relation in current.relations}
    audited = tuple(_fresh(one, relations, members.get(one.root.oid)) for one in batch.audited)
    states = catalog.read_triggers(conn, audited)
    resolution = Resolution(audited, prepared.plan.rules, ())
    remaining = planner.plan(resolution, current, states, keys=table_keys.read(conn, audited))
    if remaining.pending:
        first = remaining.pending[0]
        raise UnfinishedError(
            f"after all changes {first.target} still needs {first.kind}: {first.reason}",
            hint="Nothing was changed. Look for an event trigger that interferes, then report it.",
        )
    if {(t.name, t.key) for t in remaining.targets} != {(t.name, t.key) for t in batch.targets}:
        raise OutdatedPlanError


def _fresh(one: Audited, relations: Mapping[int, Relation], members: Iterable[int] | None) -> Audited:
    """Return a table as it is now, with the members that it has by now.

    One that has left is no member: what the batch installed on it is to be dropped, as PostgreSQL could not attach it
    again beside triggers of its own.
    """
    oids = [member.oid for member in one.members] if members is None else members
    return replace(
        one,
        root=relations.get(one.root.oid, one.root),
        members=tuple(relations[oid] for oid in oids if oid in relations),
    )
