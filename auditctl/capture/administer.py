"""Applies one batch of a plan for an administrator, who neither acts as auditctl_owner nor owns the tables.

The database does it, from object ids, names and rules (sql/functions/45_admin/): this passes no SQL to it. It decides
by itself what may be changed; the checks here say earlier, and of all tables together, what it would refuse.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.actions import Action
from auditctl.capture import admin_limit, execute, rule_store, statements
from auditctl.capture.batches import Batch
from auditctl.capture.execute import Prepared
from auditctl.capture.plan import Change, ChangeKind, Plan
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.retention import times
from auditctl.table_names import qualified
from auditctl.text import plural

_MAX_NAMED = 5
"""How many tables a refusal names."""


def refusal(conn: Connection, planned: Plan, subjects: Sequence[Rule] = ()) -> str | None:
    """Return why a plan is not for administrators, as a sentence without a full stop; None if it is.

    It changes tables or rules outside of the limit, event types although there is a limit, policies, or tables that the
    login which installed auditctl does not own (queries/not_owned.sql).

    Args:
        conn: The connection.
        planned: The plan.
        subjects: The rules that the change is about, also where nothing changes; empty for all.
    """
    tables = {change.target for change in planned.pending if change.relation_oid is not None}
    names = {change.name for change in planned.rule_changes} | tables | {subject.name for subject in subjects}
    if outside := admin_limit.outside(conn, sorted(names)):
        return f"administrators may not change {_listed(outside)}, which the section [admin] leaves out"
    if any(map(_is_of_type, planned.pending)) and admin_limit.read(conn) is not None:
        return f"the section {admin_limit.SECTION} limits administrators to tables, and leaves event types out"
    if reads := sorted(
        {change.target for change in planned.pending if change.action is Action.READ and change.statements}
    ):
        return (
            "administrators may not begin, change or end the recording of reads, which is a matter of row security: "
            + _listed(reads)
        )
    who = lender(conn)
    others = not_owned(conn, (c.relation_oid for c in planned.pending if c.relation_oid is not None), who)
    if others:
        named = _listed([f"{name} (of {owner})" for name, owner in others.items()])
        return f"{who}, which installed auditctl, does not own {named}, so administrators cannot reach it"
    return None


def lender(conn: Connection) -> str | None:
    """Return the login that installed, whose rights administrators' changes have; None if it cannot be found out."""
    row = conn.execute(resources.sql_text("queries/lender.sql").encode()).fetchone()
    return str(row[0]) if row else None


def not_owned(conn: Connection, oids: Iterable[int], role: str | None) -> dict[str, str]:
    """Return those of the tables that a role does not own, each with its owner; the login's own if it is None."""
    rows = conn.execute(resources.sql_text("queries/not_owned.sql"), {"relations": list(oids), "role": role})
    return {qualified(schema, table): owner for schema, table, owner in rows}


def advice(conn: Connection) -> str:
    """Return what to do where the login may not change what is audited."""
    return f"Ask the DBA for: auditctl grant admin {shlex.quote(conn.info.user)}. {database.INSTALLER}"


def within_reach(conn: Connection, planned: Plan, stale: frozenset[int]) -> frozenset[int]:
    """Return those of the tables to register again that administrators may change; the others stay as they are."""
    targets = {target.name: target.relation for target in planned.targets if target.relation in stale}
    outside = {*admin_limit.outside(conn, list(targets)), *not_owned(conn, targets.values(), lender(conn))}
    return frozenset(relation for name, relation in targets.items() if name not in outside)


def require_possible(conn: Connection, planned: Plan, subjects: Sequence[Rule]) -> None:
    """Refuse a plan that is not for administrators, before anybody is asked about it; arguments as for `refusal`.

    Raises:
        DatabaseError: See `refusal`.
    """
    if reason := refusal(conn, planned, subjects):
        raise DatabaseError(reason, hint=database.INSTALLER, sqlstate=database.DENIED)


def run(conn: Connection, prepared: Prepared, batch: Batch) -> None:
    """Apply a batch; the configuration is locked. Arguments and errors as for `execute.run`."""
    plan = prepared.plan
    captures = [rule_store.captured(target) | {"relation": target.relation} for target in batch.targets]
    with database.errors_translated():
        conn.execute("select auditctl.prepare_capture(%s)", [Jsonb(captures)])
    execute.lock_tables(conn, batch, is_administered=True)
    rules = None
    if batch.is_first and plan.rule_changes:
        stored: dict[str, int] = dict(conn.execute("select name, position from auditctl.rule").fetchall())
        rules = Jsonb(rule_store.numbered(plan.rules, stored))
    with database.errors_translated():
        conn.execute(
            "select auditctl.change_capture(%s, %s::oid[], %s::jsonb, %s::text[], %s::jsonb)",
            [
                Jsonb(captures),
                sorted(_stopped(conn, prepared, batch)),
                rules,
                list(_unused(batch.changes)),
                _event_types(prepared) if batch.is_last and _has_types(batch) else None,
            ],
        )
    if batch.is_last:
        times.write(conn, plan.retention.differences)
        settings = (change for change in batch.changes if change.is_setting)
        statements.run(conn, ((change.relation, one.sql) for change in settings for one in change.statements))
    execute.require_done(conn, prepared, batch)


def lock(conn: Connection) -> None:
    """Let one transaction at a time change the configuration, as `rule_store.lock` does."""
    with database.errors_translated("the configuration"):
        conn.execute("select auditctl.lock_rules()")


def _stopped(conn: Connection, prepared: Prepared, batch: Batch) -> set[int]:
    """Return the relations whose capture ends, and those registered tables that no rule covers any more."""
    goal, targets = prepared.goal, {target.relation for target in prepared.plan.targets}
    members = {relation.oid for one in batch.audited for relation in (one.root, *one.members)}
    stopped = {
        change.relation_oid
        for change in batch.changes
        if change.kind is ChangeKind.DROP and change.relation_oid is not None and change.relation_oid not in members
    }
    if batch.is_last:
        query = "select relation::oid::bigint, target from auditctl.capture where relation::oid <> all (%s::oid[])"
        rows = conn.execute(query, [sorted(targets)]).fetchall()
        stopped |= {oid for oid, target in rows if goal.only is None or target in goal.only}
    return stopped


def _unused(changes: Iterable[Change]) -> Iterator[str]:
    """Yield the functions to drop, by name in auditctl_triggers."""
    for change in changes:
        if change.kind is ChangeKind.DROP and change.relation_oid is None and not change.records_itself:
            yield change.relation.partition(".")[2]


def _event_types(prepared: Prepared) -> Jsonb:
    """Return the types of business events that should be stored."""
    types = prepared.goal.event_types or ()
    return Jsonb([{"name": each.name, "label": each.label, "enabled": each.enabled} for each in types])


def _has_types(batch: Batch) -> bool:
    return any(map(_is_of_type, batch.changes))


def _is_of_type(change: Change) -> bool:
    """Whether a change is of an event type."""
    return change.records_itself and not change.is_setting and change.kind is not ChangeKind.KEEP


def _listed(names: list[str]) -> str:
    rest = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {plural(rest, 'other')}" if rest > 0 else "")
