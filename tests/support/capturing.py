"""What the tests of capture share: rules in a line, plans as lines, events as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditctl import database
from auditctl.actions import DEFAULT, Action
from auditctl.capture import apply as capture_apply
from auditctl.capture.config import document
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import COMMAND_LINE

if TYPE_CHECKING:
    import psycopg

    from auditctl.capture.plan import Plan

EVENTS = """
    select target, action::text, target_id, old_values, new_values
      from auditctl.event where target = any (%s) order by event_id
"""

TRIGGERS = """
    select format('%s.%s', n.nspname, c.relname), t.tgname::text, t.tgenabled::text
      from pg_trigger as t
      join pg_class as c on c.oid = t.tgrelid
      join pg_namespace as n on n.oid = c.relnamespace
     where t.tgname like 'auditctl%' order by 1, 2
"""

Event = tuple[str, str, str | None, Any, Any]


def rule(name: str, *actions: Action, **options: Any) -> Rule:
    """A rule as `enable` states it; without actions, for all."""
    return Rule(name, actions or DEFAULT, origin=COMMAND_LINE, **options)


def audit(dsn: str, *names: str, **options: Any) -> None:
    """Audit tables, each with the same options."""
    with database.connect(dsn) as conn:
        for name in names:
            stated = rule(name, *options.get("actions", ()), **_without_actions(options))
            capture_apply.enable(conn, stated, uncover=agree)


def apply(dsn: str, text: str | None = None, **options: Any) -> Plan:
    """Apply a file's text, or the stored rules."""
    with database.connect(dsn) as conn:
        return capture_apply.apply(conn, _document(text), **{"uncover": agree} | options)


def agree(_uncovered: object) -> bool:
    """Agree that what was hidden is recorded in the clear."""
    return True


def plan(dsn: str, text: str | None = None) -> Plan:
    """Plan for a file's text, or for the stored rules."""
    with database.connect(dsn) as conn:
        return capture_apply.plan(conn, _document(text))


def pending(dsn: str, text: str | None = None) -> list[str]:
    """What a plan would change, each as kind, relation, action and reason."""
    return lines(plan(dsn, text))


def lines(planned: Plan) -> list[str]:
    """The changes of a plan that change something, as text."""
    return [f"{c.kind} {c.relation} {c.action.lower()}: {c.reason}" for c in planned.pending]


def events(conn: psycopg.Connection, *targets: str) -> list[Event]:
    """The events of some targets, oldest first: target, action, key, old and new values."""
    return conn.execute(EVENTS, [list(targets)]).fetchall()


def triggers(conn: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Our triggers: table, name, and when they fire (`A` for always)."""
    return conn.execute(TRIGGERS).fetchall()


def _document(text: str | None) -> document.Document | None:
    return None if text is None else document.load(text, "audit.toml")


def _without_actions(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "actions"}
