"""Plans, and applies plans: batch by batch, each in a transaction that locks the configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TypedDict, Unpack

from auditctl import database, place, revision
from auditctl.actions import Action
from auditctl.capture import (
    accepted,
    admin_limit,
    administer,
    attempts,
    batches,
    catalog,
    desired,
    desired_changes,
    event_types,
    execute,
    planner,
    precedence,
    resolve,
    rule_store,
    setting_changes,
    still_clear,
    table_keys,
    uncovered,
    unseen,
)
from auditctl.capture.batches import Batch, Progress, Watch
from auditctl.capture.config.document import Document
from auditctl.capture.desired import Desired, DesiredRules
from auditctl.capture.execute import OutdatedPlanError, Prepared
from auditctl.capture.plan import Plan
from auditctl.capture.rule_keys import Rule
from auditctl.capture.uncovered import Agree, UncoverError
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError, DatabaseError
from auditctl.names import ROLE_OWNER
from auditctl.retention import times

DEFAULT_LOCK_TIMEOUT = "5s"

Approve = Callable[[Plan], bool]
"""Looks at a plan before it is applied; False leaves everything as it is."""


def _always(_planned: Plan) -> bool:
    return True


def _ignore(_progress: Progress) -> None:
    pass


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
    with catalog.snapshot(conn):
        state = desired.AllRules(document, only, is_for_login=False)
        prepared, misfit = _assess(conn, state.resolve(conn))
        return prepared.plan, misfit


def preview(conn: Connection, state: Desired) -> Plan:
    """Plan a desired state without changing anything; the one that `carry_out` would apply.

    Raises:
        ConfigurationError: The desired state does not fit the database; every problem is listed.
    """
    with catalog.snapshot(conn):
        return _prepare(conn, state.resolve(conn)).plan


class Options(TypedDict, total=False):
    """The arguments of `carry_out` that its callers pass on."""

    lock_timeout: str
    approve: Approve
    uncover: Agree
    batch: int | None
    watch: Watch


def apply(
    conn: Connection,
    document: Document | None = None,
    *,
    only: tuple[str, ...] = (),
    is_thorough: bool = False,
    **options: Unpack[Options],
) -> Plan:
    """Apply the rules of a file, or else those stored in the database; arguments and errors as for `carry_out`.

    With `is_thorough` every function is generated for comparison: a superuser can replace one with its digest.
    """
    return carry_out(conn, desired.AllRules(document, only, is_thorough), **options)


def enable(conn: Connection, rule: Rule, **options: Unpack[Options]) -> Plan:
    """Set a table's whole rule, replacing the one it had, and start capturing at once; see `WithRules`, `carry_out`."""
    return carry_out(conn, desired_changes.WithRules((rule,)), **options)


def disable(conn: Connection, name: str, actions: tuple[Action, ...] = (), **options: Unpack[Options]) -> Plan:
    """Stop capturing a table, or some of its actions; see `WithoutTable` and `carry_out`. The log stays."""
    return carry_out(conn, desired_changes.WithoutTable(name, actions), **options)


def carry_out(
    conn: Connection,
    state: Desired,
    *,
    lock_timeout: str = DEFAULT_LOCK_TIMEOUT,
    approve: Approve = _always,
    uncover: Agree = uncovered.never,
    batch: int | None = None,
    watch: Watch = _ignore,
) -> Plan:
    """Plan the desired state, and apply it: in one transaction if its locks fit, else in several with whole tables.

    The plan is made before anything is locked. If the database changes before it is applied, even if only for a moment,
    a new one is made, but at most `attempts.MAX_PLANS` without any progress.

    Args:
        conn: The connection; its login must own the tables and be able to act as auditctl_owner, or be an
            administrator.
        state: The desired state.
        lock_timeout: How long to wait for a lock on a busy table, such as `5s`.
        approve: Called before anything is changed, and again for a new plan; False leaves everything as it is.
        uncover: Called after that, if the plan records in the clear what was hidden until now.
        batch: The most tables in a transaction; None for all if the lock table has room for them, else for few.
        watch: Called before the first transaction and after each.

    Returns:
        The plan that was applied, or refused.

    Raises:
        ConfigurationError: The rules do not fit the database; every problem is listed.
        UncoverError: Nobody agrees that hidden columns are recorded in the clear.
        DatabaseError: No permission, a lock was not granted in time, or the database never stays as planned for.
        PlaceError: The store was restored or copied, and is not adopted yet.
    """
    failure: AuditctlError | None = None
    previous: object = None
    tried = 0
    while True:
        with catalog.snapshot(conn, lock_timeout=lock_timeout):
            place.require(conn)
            is_administered = admin_limit.is_administrator(conn)
            with nullcontext() if is_administered else database.acting_as(conn, ROLE_OWNER, administer.advice(conn)):
                room, seconds = batches.room(conn)
            prepared = _prepare(conn, state.resolve(conn))
            stale = rule_store.stale(conn, prepared.plan)
            if is_administered:
                administer.require_possible(conn, prepared.plan, prepared.goal.subjects)
                stale = administer.within_reach(conn, prepared.plan, stale)
            version = attempts.version(conn, prepared.audited)
        # The tables to register are no part of the fingerprint: nobody is asked about them again.
        outline = (prepared.plan.fingerprint, {target.relation for target in prepared.plan.targets}, stale, version)
        if failure is not None and outline == previous:
            raise failure
        if not approve(prepared.plan):
            return prepared.plan
        if prepared.plan.uncovered and not uncover(prepared.plan.uncovered):
            raise UncoverError(prepared.plan.uncovered)
        parts = batches.split(prepared.plan, prepared.audited, room, batch, stale)
        finished: list[Batch] = []
        try:
            _apply(conn, prepared, parts, lock_timeout, seconds, watch, finished, is_administered=is_administered)
        except (OutdatedPlanError, DatabaseError) as error:
            tried = attempts.count(error, 0 if finished else tried)
            failure, previous = error if attempts.may_recur(error) else None, outline
        else:
            return prepared.plan


def _apply(
    conn: Connection,
    prepared: Prepared,
    parts: Sequence[Batch],
    lock_timeout: str,
    seconds: float,
    watch: Watch,
    finished: list[Batch],
    *,
    is_administered: bool,
) -> None:
    lock, run = (administer.lock, administer.run) if is_administered else (rule_store.lock, execute.run)
    before = (prepared.plan.stored, prepared.event_types)
    done, total = 0, sum(part.tables for part in parts)
    watch(Progress(done, total, len(parts)))
    for part in parts:
        until = time.monotonic() + seconds
        while True:
            try:
                with database.errors_translated(), catalog.transaction(conn, lock_timeout=lock_timeout):
                    lock(conn)
                    revision.require(conn)  # an install of another version may have had the lock
                    if (rule_store.read(conn), event_types.read(conn)) != before:
                        raise OutdatedPlanError
                    run(conn, prepared, part)
                    before = (rule_store.read(conn), event_types.read(conn))
                break
            except DatabaseError as error:
                if error.sqlstate not in database.BUSY or time.monotonic() >= until:
                    raise
        finished.append(part)
        done += part.tables
        watch(Progress(done, total, len(parts)))


def _prepare(conn: Connection, goal: DesiredRules) -> Prepared:
    prepared, misfit = _assess(conn, goal)
    if misfit is not None:
        raise misfit
    return prepared


def _outcome(goal: DesiredRules, resolution: resolve.Resolution) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return how the rules that are stated come out beside the others, and what of that is a surprise, as sentences."""
    found = resolution.coverings.values()
    outcome = [one for subject in goal.subjects for one in precedence.outcome(subject, found)]
    notes, surprises = ([sentence for is_one, sentence in outcome if is_one is wanted] for wanted in (False, True))
    return tuple(notes), tuple(surprises)


def _assess(conn: Connection, goal: DesiredRules) -> tuple[Prepared, ConfigurationError | None]:
    """Return the plan, without the tables of rules that do not fit, and what does not fit."""
    types = event_types.Types(event_types.read(conn), goal.event_types, goal.has_file)
    limits = goal.limits
    current = goal.catalog or desired.read_catalog(conn, goal.rules, limits)
    resolution = resolve.resolve(
        goal.rules, current, follow_renames=goal.follow_renames, within=limits.relations if limits else None
    )
    misfit = planner.misfit(resolution, only=goal.only, problems=goal.problems, types=types)
    audited = planner.affected(resolution, goal.only)
    states = catalog.read_triggers(conn, audited, is_thorough=goal.is_thorough)
    keys = table_keys.read(conn, audited)
    planned = planner.plan(resolution, current, states, only=goal.only, keys=keys, types=types)
    planned = planner.without_doubtful(planned, resolution, goal.problems, types)
    if limits is not None:
        planned = replace(planned, rules=limits.changed(goal.rules, planned.rules))
    notes, surprises = _outcome(goal, resolution)
    planned = replace(
        planned,
        changes=(*planned.changes, *setting_changes.read(conn, goal)),
        notes=notes,
        warnings=(
            *surprises,
            *goal.warnings,
            *planned.warnings,
            *still_clear.sentences(conn, audited),
            *event_types.notes(types),
        ),
        stored=rule_store.read(conn),
        unseen=unseen.sentences(conn, {one.target for one in resolution.audited}, limits),
        uncovered=uncovered.find(conn, audited),
        keys=tuple(table_keys.sentences(planned.targets, keys, table_keys.registered(conn))),
        accepted_keyless=accepted.accepted_keyless(conn, planned.keyless, goal.accepted),
    )
    if goal.retention is not None:
        registered = {rule.name: new.name for rule, new in zip(goal.rules, planned.rules, strict=True)}
        retention = goal.retention.named(registered)
        labels = {rule.label.lower(): rule.name for rule in planned.rules if rule.label}
        doubts = (*retention.notes, *retention.misnamed(labels))
        planned = replace(planned, warnings=(*planned.warnings, *doubts), retention=times.plan(conn, retention))
    return Prepared(planned, goal, audited, current, types.stored), misfit
