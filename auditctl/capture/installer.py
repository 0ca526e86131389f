"""Makes a plan so: one transaction, checked by planning again before it commits.

The way of every change: advisory lock, lock timeout, read rules and catalog, plan, execute, read again, plan again.
If anything but KEEP is left the transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from psycopg import sql
from psycopg.types.json import Jsonb

from auditctl import database
from auditctl.capture import catalog, event_types, identifiers, planner, resolve, retention, rules
from auditctl.capture.config import Document
from auditctl.capture.identifiers import qualified
from auditctl.capture.retention import Retention
from auditctl.capture.validate import COMMAND_LINE
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError, UsageError
from auditctl.model import Action, Catalog, EventType, Rule
from auditctl.names import ADVISORY_LOCK, ROLE_OWNER
from auditctl.plan import Change, ChangeKind, Plan

DEFAULT_LOCK_TIMEOUT = "5s"

_DONE = {
    ChangeKind.CREATE: "installed:",
    ChangeKind.REPLACE: "replaced:",
    ChangeKind.ENABLE: "enabled again:",
    ChangeKind.DROP: "removed:",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """The rules somebody wants, and how far they reach.

    Attributes:
        rules: All rules, in order.
        only: Registered names of the rules to act on; None for all.
        follow_renames: Whether the rules come from the database, so that they follow a renamed table.
        problems: What is wrong with them already.
        event_types: The types of business events that are wanted; None for those there are.
        retention: How long events shall be kept; None for as long as is stated.
        has_file: Whether the rules come from a file, which may be silent about something that the database has.
    """

    rules: tuple[Rule, ...]
    only: frozenset[str] | None = None
    follow_renames: bool = True
    problems: tuple[str, ...] = ()
    event_types: tuple[EventType, ...] | None = None
    retention: Retention | None = None
    has_file: bool = False


def plan(conn: Connection, document: Document | None = None) -> Plan:
    """Plan without changing anything.

    Args:
        conn: The connection; needs SELECT on audit.rule.
        document: The whole truth; None for the rules stored in the database.

    Raises:
        ConfigurationError: The rules do not fit the database; every problem is listed.
    """
    with catalog.transaction(conn):
        return _plan(conn, _wish(conn, document))


def apply(
    conn: Connection,
    document: Document | None = None,
    *,
    lock_timeout: str = DEFAULT_LOCK_TIMEOUT,
    approve: Callable[[Plan], bool] = lambda _plan: True,
) -> Plan:
    """Make the database follow the rules, in one transaction.

    Args:
        conn: The connection; its login must own the tables and be able to act as audit_owner.
        document: The whole truth; None for the rules stored in the database.
        lock_timeout: How long to wait for a lock on a busy table, such as `5s`.
        approve: Asked before anything is changed; False leaves everything as it is.

    Returns:
        The plan that was carried out, or refused.

    Raises:
        ConfigurationError: The rules do not fit the database; every problem is listed.
        DatabaseError: No permission, or a lock was not to be had in time.
    """
    return _carry_out(conn, lambda: _wish(conn, document), lock_timeout, approve)


def enable(conn: Connection, rule: Rule, *, lock_timeout: str = DEFAULT_LOCK_TIMEOUT) -> Plan:
    """State a table's whole rule, replacing the one it had, and start capturing at once.

    Raises:
        UsageError: The label is empty.
        ConfigurationError: The rule does not fit the database.
        DatabaseError: No permission, or a lock was not to be had in time.
    """
    if rule.label is not None and (not rule.label.strip() or "\0" in rule.label):
        raise UsageError("a label must be text that is not empty", hint="Leave --label out for the table's own name.")

    def wish() -> Wish:
        named = replace(rule, origin=COMMAND_LINE)
        stored = rules.read(conn)
        found = _catalog(conn, [*stored, named])
        now = resolve.resolve(stored, found, follow_renames=True).rules
        resolution = resolve.resolve([named], found, follow_renames=False)
        name = resolution.rules[0].name
        named = replace(named, name=name)
        kept = tuple(named if known.name == name else known for known in now)
        missing = tuple(problem.message for problem in resolution.problems if problem.is_missing)
        return Wish(kept if named in kept else (*kept, named), frozenset({name}), problems=missing)

    return _carry_out(conn, wish, lock_timeout, lambda _plan: True)


def disable(
    conn: Connection, name: str, actions: tuple[Action, ...] = (), *, lock_timeout: str = DEFAULT_LOCK_TIMEOUT
) -> Plan:
    """Stop capturing a table, or some of its actions. The log stays.

    A table that a glob covers gets a rule of its own that leaves out these actions.

    Args:
        conn: The connection.
        name: The table, or a glob as it stands in a rule.
        actions: The actions to stop; empty for all.
        lock_timeout: How long to wait for a lock on a busy table, such as `5s`.

    Raises:
        ConfigurationError: No rule covers the table.
        DatabaseError: No permission, or a lock was not to be had in time.
    """

    def wish() -> Wish:
        now = rules.read(conn)
        asked = Rule(name, (), origin=COMMAND_LINE)
        found = _catalog(conn, [*now, asked])
        registered = resolve.resolve([asked], found, follow_renames=False).rules[0].name
        covering = resolve.resolve(now, found, follow_renames=True)
        stored = next((rule for rule in covering.rules if rule.name == registered), None)
        over = stored or next(
            (r for relation, r in covering.covered if qualified(*relation.identity) == registered), None
        )
        if over is None or not over.actions:
            raise ConfigurationError(
                [f"TABLE: {registered} is not audited"], hint="List what is audited with: auditctl tables"
            )
        left = tuple(action for action in over.actions if actions and action not in actions)
        return _without(covering, over, registered, left)

    return _carry_out(conn, wish, lock_timeout, lambda _plan: True)


def _without(covering: resolve.Resolution, over: Rule, name: str, left: tuple[Action, ...]) -> Wish:
    others = tuple(rule for rule in covering.rules if rule.name != name)
    reached = {qualified(*relation.identity) for relation, rule in covering.covered if rule.name == over.name}
    pattern = identifiers.parse(name)
    shadowed = any(
        other.actions and identifiers.parse(other.name).is_glob and _names(other.name, name) for other in others
    )
    if left or (shadowed and not pattern.is_glob):
        keep = _without_reading(replace(_narrowed(over, name, covering), actions=left, origin=COMMAND_LINE))
        rest = tuple(keep if rule.name == name else rule for rule in covering.rules)
        return Wish(
            rest if keep in rest else (*rest, keep), frozenset({name} | (reached if pattern.is_glob else set()))
        )
    return Wish(others, frozenset({name} | (reached if pattern.is_glob else set())))


def _without_reading(rule: Rule) -> Rule:
    """Return the rule without what only says how reads are recorded, if it records none."""
    return rule if Action.READ in rule.actions else replace(rule, read_query=False, read_force=False)


def _narrowed(over: Rule, name: str, covering: resolve.Resolution) -> Rule:
    """Return what a rule says about one table: a glob may name columns that this table has not."""
    relation = next((r for r, _ in covering.covered if qualified(*r.identity) == name), None)
    if relation is None or over.name == name:
        return replace(over, name=name)
    columns = set(relation.columns)
    return replace(
        over,
        name=name,
        exclude=tuple(column for column in over.exclude if column in columns),
        mask=tuple(column for column in over.mask if column in columns),
        key=() if relation.primary_key or not columns.issuperset(over.key) else over.key,
    )


def _names(glob: str, name: str) -> bool:
    pattern, exact = identifiers.parse(glob), identifiers.parse(name)
    return exact.schema is not None and pattern.matches(exact.schema.text, exact.table.text)


def _wish(conn: Connection, document: Document | None) -> Wish:
    if document is None:
        return Wish(rules.read(conn))
    stored = rules.read(conn)
    wanted = tuple(replace(rule, is_in_force=rule in stored) for rule in document.rules)
    return Wish(
        wanted,
        follow_renames=False,
        problems=document.problems,
        event_types=document.event_types,
        retention=document.retention,
        has_file=True,
    )


def _catalog(conn: Connection, wanted: Iterable[Rule]) -> Catalog:
    chosen = tuple(wanted)
    return catalog.read(conn, lambda relation: resolve.wants(chosen, relation))


def _plan(conn: Connection, wish: Wish) -> Plan:
    types = event_types.Types(event_types.read(conn), wish.event_types)
    planned = planner.plan(
        wish.rules,
        _catalog(conn, wish.rules),
        partial(catalog.generate, conn),
        follow_renames=wish.follow_renames,
        only=wish.only,
        problems=wish.problems,
        types=types,
    )
    planned = replace(planned, warnings=(*planned.warnings, *event_types.notes(types, has_file=wish.has_file)))
    if wish.retention is None:
        return planned
    registered = {rule.name: known.name for rule, known in zip(wish.rules, planned.rules, strict=True)}
    wanted = wish.retention.named(registered)
    return replace(planned, warnings=(*planned.warnings, *wanted.notes), retention=retention.plan(conn, wanted))


def _carry_out(
    conn: Connection, make_wish: Callable[[], Wish], lock_timeout: str, approve: Callable[[Plan], bool]
) -> Plan:
    with catalog.transaction(conn, lock_timeout=lock_timeout):
        conn.execute("select pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        wish = make_wish()
        planned = _plan(conn, wish)
        if not approve(planned):
            return planned
        with database.acting_as(conn, ROLE_OWNER):
            rules.begin_change(conn, planned)
        _execute(conn, planned.pending)
        with database.acting_as(conn, ROLE_OWNER):
            rules.register(conn, planned.targets)
            rules.end_change(conn, planned, wish.only)
            rules.write(conn, planned.rules)
            retention.write(conn, planned.retention.differences)
            _record(conn, planned.pending)
        left = _plan(conn, replace(wish, rules=planned.rules, retention=None)).pending
        if left:
            raise AuditctlError(
                f"after all changes {left[0].target} still needs {left[0].kind}: {left[0].reason}",
                hint="Nothing was changed. Look for an event trigger that interferes, then report it.",
            )
    return planned


def _execute(conn: Connection, changes: Iterable[Change]) -> None:
    """Run the statements, each as the role it needs."""
    for change in changes:
        for statement in change.statements:
            with ExitStack() as stack:
                stack.enter_context(database.errors_translated(change.relation))
                if statement.as_owner:
                    stack.enter_context(database.acting_as(conn, ROLE_OWNER))
                conn.execute(sql.SQL(statement.sql.replace("{", "{{").replace("}", "}}")).format())


def _record(conn: Connection, changes: Iterable[Change]) -> None:
    """Record what was done to triggers, as one event for each table."""
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
            "select audit.insert_event('audit.capture', %s, 'EVENT', null, %s, %s)",
            [target, Jsonb({"changes": data}), f"capture {summary}"],
        )
