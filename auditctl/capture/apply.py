"""Applies a plan in one transaction: locks the configuration, plans, executes, and plans again before it commits.

If the second plan still has changes, the transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import groupby

from psycopg import sql
from psycopg.types.json import Jsonb

from auditctl import database, place
from auditctl.actions import Action
from auditctl.capture import catalog, desired, event_types, planner, precedence, resolve, rule_store, unseen
from auditctl.capture.config.document import Document
from auditctl.capture.desired import Desired, DesiredRules
from auditctl.capture.model import Statement
from auditctl.capture.plan import Change, ChangeKind, Plan
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError
from auditctl.names import ROLE_OWNER, TRIGGER_SCHEMA
from auditctl.retention import times
from auditctl.session_settings import SEARCH_PATH

DEFAULT_LOCK_TIMEOUT = "5s"

Approve = Callable[[Plan], bool]
"""Looks at a plan inside the transaction that would apply it; False leaves everything as it is."""

_USAGE = (
    Statement(f"grant usage on schema {TRIGGER_SCHEMA} to session_user", as_owner=True),
    Statement(f"revoke usage on schema {TRIGGER_SCHEMA} from session_user", as_owner=True),
)
"""What stands before and after the statements of a plan that creates triggers: who creates one names its function."""

_HAS_USAGE = "select pg_catalog.has_schema_privilege(session_user, %s, 'usage')"

_DONE = {
    ChangeKind.CREATE: "installed:",
    ChangeKind.REPLACE: "replaced:",
    ChangeKind.ENABLE: "enabled again:",
    ChangeKind.DROP: "removed:",
}


def _always(_planned: Plan) -> bool:
    return True


def plan(conn: Connection, document: Document | None = None, only: tuple[str, ...] = ()) -> Plan:
    """Plan without changing anything.

    Args:
        conn: The connection; needs SELECT on auditctl.rule.
        document: The file with all rules; None for the rules stored in the database.
        only: The names and globs of the tables to look at; empty for all.

    Raises:
        ConfigurationError: The rules do not fit the database; every problem is listed.
        UsageError: A name of `only` matches no table and no rule.
    """
    return preview(conn, desired.AllRules(document, only))


def check(
    conn: Connection, document: Document | None = None, only: tuple[str, ...] = ()
) -> tuple[Plan, ConfigurationError | None]:
    """Plan as far as the rules fit the database, without changing anything.

    Args:
        conn: The connection; needs SELECT on auditctl.rule.
        document: The file with all rules; None for the rules stored in the database.
        only: The names and globs of the tables to look at; empty for all.

    Returns:
        The plan, which leaves the tables of rules that do not fit as they are; and what does not fit, None for nothing.
    """
    with catalog.transaction(conn):
        return _assess(conn, desired.AllRules(document, only).resolve(conn))


def preview(conn: Connection, state: Desired) -> Plan:
    """Plan a desired state without changing anything; the one that `carry_out` would apply.

    Raises:
        ConfigurationError: The desired state does not fit the database; every problem is listed.
    """
    with catalog.transaction(conn):
        return _plan(conn, state.resolve(conn))


def apply(
    conn: Connection,
    document: Document | None = None,
    *,
    only: tuple[str, ...] = (),
    lock_timeout: str = DEFAULT_LOCK_TIMEOUT,
    approve: Approve = _always,
) -> Plan:
    """Apply the rules of a file, or else those stored in the database; arguments and errors as for `carry_out`."""
    return carry_out(conn, desired.AllRules(document, only), lock_timeout=lock_timeout, approve=approve)


def enable(
    conn: Connection, rule: Rule, *, lock_timeout: str = DEFAULT_LOCK_TIMEOUT, approve: Approve = _always
) -> Plan:
    """Set a table's whole rule, replacing the one it had, and start capturing at once; see `carry_out`.

    Raises:
        UsageError: The label is empty, or the name is not valid.
    """
    return carry_out(conn, desired.WithRule(rule), lock_timeout=lock_timeout, approve=approve)


def disable(
    conn: Connection,
    name: str,
    actions: tuple[Action, ...] = (),
    *,
    lock_timeout: str = DEFAULT_LOCK_TIMEOUT,
    approve: Approve = _always,
) -> Plan:
    """Stop capturing a table, or some of its actions; see `desired.WithoutTable` and `carry_out`. The log stays."""
    return carry_out(conn, desired.WithoutTable(name, actions), lock_timeout=lock_timeout, approve=approve)


def carry_out(
    conn: Connection,
    state: Desired,
    *,
    lock_timeout: str = DEFAULT_LOCK_TIMEOUT,
    approve: Approve = _always,
) -> Plan:
    """Apply the desired state, in one transaction.

    Args:
        conn: The connection; its login must own the tables and be able to act as auditctl_owner.
        state: The desired state.
        lock_timeout: How long to wait for a lock on a busy table, such as `5s`.
        approve: Called before anything is changed; False leaves everything as it is.

    Returns:
        The plan that was applied, or refused.

    Raises:
        ConfigurationError: The rules do not fit the database; every problem is listed.
        DatabaseError: No permission, or a lock was not granted in time.
        PlaceError: The store was restored or copied, and is not adopted yet.
    """
    with catalog.transaction(conn, lock_timeout=lock_timeout):
        place.require(conn)
        rule_store.lock(conn)
        goal = state.resolve(conn)
        planned = _plan(conn, goal)
        if not approve(planned):
            return planned
        with rule_store.change(conn, planned, goal.only):
            _execute(conn, planned.pending)
        with database.acting_as(conn, ROLE_OWNER):
            times.write(conn, planned.retention.differences)
            _record(conn, planned.pending)
        remaining = _plan(conn, replace(goal, rules=planned.rules, retention=None, catalog=None)).pending
        if remaining:
            raise AuditctlError(
                f"after all changes {remaining[0].target} still needs {remaining[0].kind}: {remaining[0].reason}",
                hint="Nothing was changed. Look for an event trigger that interferes, then report it.",
            )
    return planned


def script(planned: Plan) -> Iterator[str]:
    """Yield a plan as SQL for people to read and run: its statements, each under the role that it needs.

    Args:
        planned: The plan.

    Yields:
        The script piece by piece, without line ends; nothing where no trigger and no time has to change.
    """
    if planned.is_done:
        return
    yield f"begin;\nset local search_path = {SEARCH_PATH};\n"
    for _, statement in _statements(planned.pending, lacks_usage=True):
        role = "set role auditctl_owner;\n" if statement.as_owner else "reset role;\n"
        yield f"{role}{statement.sql};\n"
    for difference in planned.retention.differences:
        words = [
            sql.SQL("null") if word is None else sql.Literal(word) for word in (difference.target, difference.after)
        ]
        call = sql.SQL("select auditctl.set_retention({}, {})").format(*words).as_string(None)
        yield f"set role auditctl_owner;\n{call};\n"
    yield "reset role;\ncommit;"


def _plan(conn: Connection, goal: DesiredRules) -> Plan:
    planned, misfit = _assess(conn, goal)
    if misfit is not None:
        raise misfit
    return planned


def _assess(conn: Connection, goal: DesiredRules) -> tuple[Plan, ConfigurationError | None]:
    """Return the plan, without the tables of rules that do not fit, and what does not fit."""
    types = event_types.Types(event_types.read(conn), goal.event_types)
    limits = goal.limits
    current = goal.catalog or desired.read_catalog(conn, goal.rules, limits)
    resolution = resolve.resolve(
        goal.rules, current, follow_renames=goal.follow_renames, within=limits.relations if limits else None
    )
    misfit = planner.misfit(resolution, only=goal.only, problems=goal.problems, types=types)
    states = catalog.read_triggers(conn, resolution.audited)
    planned = planner.plan(resolution, current, states, only=goal.only, types=types)
    planned = planner.without_doubtful(planned, resolution, goal.problems)
    if limits is not None:
        planned = replace(planned, rules=limits.changed(goal.rules, planned.rules))
    notes = event_types.notes(types, has_file=goal.has_file)
    covered = {audited.target for audited in resolution.audited}
    outcome = list(precedence.outcome(goal.subject, resolution.coverings.values())) if goal.subject else []
    planned = replace(
        planned,
        notes=tuple(sentence for is_surprise, sentence in outcome if not is_surprise),
        warnings=(
            *(sentence for is_surprise, sentence in outcome if is_surprise),
            *goal.warnings,
            *planned.warnings,
            *notes,
        ),
        stored=rule_store.read(conn),
        unseen=unseen.sentences(conn, covered, limits),
    )
    if goal.retention is None:
        return planned, misfit
    registered = {rule.name: planned_rule.name for rule, planned_rule in zip(goal.rules, planned.rules, strict=True)}
    retention = goal.retention.named(registered)
    planned = replace(planned, warnings=(*planned.warnings, *retention.notes), retention=times.plan(conn, retention))
    return planned, misfit


def _execute(conn: Connection, changes: Iterable[Change]) -> None:
    """Run the statements, each as the role it needs, which changes as seldom as their order allows."""
    # Every GRANT on a schema makes PostgreSQL forget the plans of all queries: a login that has USAGE needs none.
    ((has_usage,),) = conn.execute(_HAS_USAGE, [TRIGGER_SCHEMA])
    statements = _statements(changes, lacks_usage=not has_usage)
    for as_owner, group in groupby(statements, lambda pair: pair[1].as_owner):
        with database.acting_as(conn, ROLE_OWNER) if as_owner else nullcontext():
            for relation, statement in group:
                with database.errors_translated(relation):
                    # The database wrote it: in binary mode, the server accepts a single statement only.
                    conn.execute(sql.SQL(statement.sql.replace("{", "{{").replace("}", "}}")).format(), binary=True)


def _statements(changes: Iterable[Change], *, lacks_usage: bool) -> tuple[tuple[str, Statement], ...]:
    """Return the statements of changes in order, each with the relation that it is about."""
    statements = tuple((change.relation, statement) for change in changes for statement in change.statements)
    if lacks_usage and any(statement.sql.startswith("create trigger ") for _, statement in statements):
        grant, revoke = ((TRIGGER_SCHEMA, statement) for statement in _USAGE)
        return (grant, *statements, revoke)
    return statements


def _record(conn: Connection, changes: Iterable[Change]) -> None:
    """Record the changes of triggers: one event for each table."""
    by_target: dict[str, list[Change]] = {}
    for change in changes:
        if change.statements and not change.records_itself:
            by_target.setdefault(change.target, []).append(change)
    for target, done in by_target.items():
        summary = "; ".join(
            f"{_DONE[kind]} {', '.join(dict.fromkeys(c.action.lower() for c in done if c.kind is kind))}"
            for kind in dict.fromkeys(c.kind for c in done)
        )
        data = [{"kind": c.kind, "action": c.action, "relation": c.relation, "reason": c.reason} for c in done]
        conn.execute(
            "select auditctl_internal.insert_event('auditctl.capture', %s, 'EVENT', null, %s, %s)",
            [target, Jsonb({"changes": data}), f"capture {summary}"],
        )
