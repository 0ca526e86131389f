"""Maps the states of capture triggers, as the database reports them, to changes of a plan.

What a sound trigger is, and the statements that make it so, stand in sql/functions/40_guard/faults.sql.
"""

from __future__ import annotations

from psycopg import sql

from auditctl.actions import ACTIONS, Action
from auditctl.capture.model import DROPPING, LOCKING, Function, Relation, Statement, Trigger, TriggerState
from auditctl.capture.plan import Change, ChangeKind
from auditctl.names import TRIGGER_SCHEMA
from auditctl.table_names import commented_target, qualified

_KINDS = {"missing": ChangeKind.CREATE, "uncloned": ChangeKind.CREATE, "firing": ChangeKind.ENABLE}
"""The kind of change by the kind of the gravest fault; every other fault is repaired by REPLACE."""


def repair(state: TriggerState, relation: Relation, target: str) -> Change:
    """Return the change that makes one trigger and its function right, KEEP where they are.

    Args:
        state: What the database says of the trigger.
        relation: The table with the trigger.
        target: The registered name of the audited table.
    """
    kind, reason = ChangeKind.KEEP, "The trigger is as the rule says."
    if state.faults:
        kind, reason = _KINDS.get(state.faults[0].kind, ChangeKind.REPLACE), state.faults[0].reason
    place = qualified(*relation.identity)
    digest = (state.function, state.digest) if state.digest is not None else None
    return Change(kind, target, state.action, place, reason, state.statements, relation.oid, digest=digest)


def drop_trigger(relation: Relation, trigger: Trigger, target: str) -> Change:
    """Return the change that removes a trigger that no rule asks for."""
    action = next((c.action for c in ACTIONS if c.trigger == trigger.name), Action.EVENT)
    drop = sql.SQL("drop trigger {} on {}").format(sql.Identifier(trigger.name), sql.Identifier(*relation.identity))
    place = qualified(*relation.identity)
    statement = Statement(drop.as_string(None), step=LOCKING)
    return Change(ChangeKind.DROP, target, action, place, "No rule asks for it.", (statement,), relation.oid)


def drop_function(function: Function) -> Change:
    """Return the change that removes a function that no rule asks for."""
    option = function.comment.removeprefix("auditctl: ").partition(" of ")[0]
    action = next((c.action for c in ACTIONS if c.option == option), Action.EVENT)
    place = f"{TRIGGER_SCHEMA}.{function.name}"
    target = commented_target(function.comment) or place
    statement = Statement(function.drop_statement, as_owner=True, step=DROPPING)
    return Change(ChangeKind.DROP, target, action, place, "No rule needs the function.", (statement,))
