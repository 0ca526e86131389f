"""Reads and writes what auditctl.rule and auditctl.target hold. A change of a rule records itself as an event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from auditctl import database, resources
from auditctl.actions import Action
from auditctl.capture.model import Rule
from auditctl.capture.plan import Plan, Target
from auditctl.capture.validate import STORED
from auditctl.database import Connection
from auditctl.names import ROLE_OWNER

_COLUMNS = "name, position, label, actions, exclude, mask, key, require_actor, read_query, read_force"
_PARAMETERS = "%s, %s, %s, %s::auditctl.action[], %s::text[], %s::text[], %s::text[], %s, %s, %s"


def read(conn: Connection) -> tuple[Rule, ...]:
    """Return the rules stored in the database, in their order; empty where nothing is audited."""
    rows = conn.execute(
        "select name, label, actions::text[], exclude, mask, key, require_actor, read_query, read_force "
        "from auditctl.rule order by position, name"
    )
    return tuple(
        Rule(
            name,
            tuple(map(Action, actions)),
            label,
            tuple(exclude),
            tuple(mask),
            tuple(key),
            require_actor,
            read_query,
            read_force,
            STORED,
            is_in_force=True,
        )
        for name, label, actions, exclude, mask, key, require_actor, read_query, read_force in rows
    )


def _write(conn: Connection, rules: Iterable[Rule]) -> None:
    """Make these the rules: only rows that differ are written, so that only real changes become events."""
    stored = {
        row[0]: row
        for row in conn.execute(
            f"select {_COLUMNS.replace('actions', 'actions::text[]')} from auditctl.rule"  # noqa: S608 - constants
        )
    }
    wanted: dict[str, tuple[int, Rule]] = {}
    position = -1
    for rule in rules:
        known = stored.get(rule.name)
        # Only the order counts: a rule that comes later anyway keeps its number, so that it is not written again.
        position = known[1] if known is not None and known[1] > position else position + 1
        wanted[rule.name] = (position, rule)
    gone = [name for name in stored if name not in wanted]
    if gone:
        conn.execute("delete from auditctl.rule where name = any (%s)", [gone])
    for name, (position, rule) in wanted.items():
        row = _row(rule, position)
        if name not in stored:
            conn.execute(f"insert into auditctl.rule ({_COLUMNS}) values ({_PARAMETERS})", row)  # noqa: S608 - constants
        elif list(stored[name]) != row:
            conn.execute(
                f"update auditctl.rule set ({_COLUMNS}, set_by, set_at) = "  # noqa: S608 - constants
                f"({_PARAMETERS}, session_user, now()) where name = %s",
                [*row, name],
            )


@contextmanager
def change(conn: Connection, plan: Plan, only: frozenset[str] | None) -> Iterator[None]:
    """Run the block, which carries out a plan, and then store what the plan says: its targets, captures and rules.

    The coverage guard leaves the plan's tables alone until the block is done. Inside the caller's transaction, which
    must end if the block raises.

    Args:
        conn: The connection; its login must be able to act as auditctl_owner.
        plan: The plan.
        only: The rules and tables it is about; None for all.
    """
    with database.acting_as(conn, ROLE_OWNER):
        _begin_change(conn, plan)
    yield
    with database.acting_as(conn, ROLE_OWNER):
        _register(conn, plan.targets)
        _end_change(conn, plan, only)
        _write(conn, plan.rules)


def _register(conn: Connection, targets: Iterable[Target]) -> None:
    """Enter audited tables in auditctl.target, and their new names in auditctl.rename.

    The tables are locked by then: events before this moment carry the old name, events after it the new.
    """
    row = conn.execute("select clock_timestamp()").fetchone()
    for target in targets:
        conn.execute(
            resources.sql_text("queries/register_target.sql"),
            {"target": target.name, "label": target.label, "key": list(target.key)},
        )
        if target.renamed_from is not None and row is not None:
            conn.execute(
                "insert into auditctl.rename (renamed_at, old_target, new_target) values (%s, %s, %s)",
                [row[0], target.renamed_from, target.name],
            )


def _begin_change(conn: Connection, plan: Plan) -> None:
    """Say which tables a plan is going to change, so that the coverage guard lets it."""
    touched = [change.relation_oid for change in plan.pending] + [target.relation for target in plan.targets]
    conn.execute(
        "select auditctl_internal.begin_change(%s::oid[]::regclass[])", [[oid for oid in touched if oid is not None]]
    )


def _end_change(conn: Connection, plan: Plan, only: frozenset[str] | None) -> None:
    """Leave in auditctl.capture what the coverage guard compares with from now on.

    Args:
        conn: The connection.
        plan: The plan that was carried out.
        only: The rules and tables it was about; None for all.
    """
    kept = [target.relation for target in plan.targets]
    gone = "delete from auditctl.capture where relation::oid <> all (%(kept)s::oid[])"
    if only is not None:
        gone += " and (target = any (%(only)s) or relation::oid = any (%(touched)s::oid[]))"
    touched = [change.relation_oid for change in plan.pending if change.relation_oid is not None]
    conn.execute(gone, {"kept": kept, "only": list(only or ()), "touched": touched})
    for target in plan.targets:
        rule = target.rule
        conn.execute(
            resources.sql_text("queries/register_capture.sql"),
            {
                "relation": target.relation,
                "target": target.name,
                "actions": [action.value for action in rule.actions],
                "exclude": list(rule.exclude),
                "mask": list(rule.mask),
                "key": list(rule.key),
                "require_actor": rule.require_actor,
                "read_query": rule.read_query,
                "read_force": rule.read_force,
            },
        )
    conn.execute("select auditctl_internal.end_change()")


def _row(rule: Rule, position: int) -> list[object]:
    return [
        rule.name,
        position,
        rule.label,
        [action.value for action in rule.actions],
        list(rule.exclude),
        list(rule.mask),
        list(rule.key),
        rule.require_actor,
        rule.read_query,
        rule.read_force,
    ]
