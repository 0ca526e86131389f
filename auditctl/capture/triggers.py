"""One trigger compared with what it must be: the change it needs, why, and the statements."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from auditctl.actions import ACTIONS, Action, CapturedAction
from auditctl.capture.model import Function, Relation, Trigger
from auditctl.capture.plan import Change, ChangeKind, Statement
from auditctl.capture.table_names import commented_target, qualified
from auditctl.names import TRIGGER_SCHEMA

ALWAYS = "A"


@dataclass(frozen=True, slots=True)
class Site:
    """A trigger that must be on a relation, and the function it must call.

    Attributes:
        target: The registered name.
        captured: The action.
        relation: Where the trigger sits.
        function: The function as it must be.
        is_clone: Whether PostgreSQL puts the trigger there itself, from a partitioned parent.
        shares_function: Whether the function is that of the whole, so that only one change speaks of it.
    """

    target: str
    captured: CapturedAction
    relation: Relation
    function: Function
    is_clone: bool = False
    shares_function: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the trigger: schema, table, trigger name."""
        return (*self.relation.identity, self.captured.trigger)


def compare(site: Site, trigger: Trigger | None, function: Function | None) -> Change:
    """Return the change that makes one trigger and its function right, KEEP where they are."""
    trigger_fault = _trigger_fault(site, trigger)
    function_fault = _function_fault(site.function, function) if not site.shares_function else ""
    if trigger is None:
        if site.is_clone:
            return _change(site, ChangeKind.CREATE, "PostgreSQL will put the trigger on this partition.")
        return _change(site, ChangeKind.CREATE, "There is no trigger yet.", _create(site))
    if function is None:
        reason = trigger_fault if site.shares_function else "The table was renamed since."
        return _change(site, ChangeKind.REPLACE, reason, _recreate(site, trigger))
    if trigger_fault and not site.is_clone:
        return _change(site, ChangeKind.REPLACE, trigger_fault, _recreate(site, trigger))
    if function_fault:
        statements = _repair_function(site.function, function)
        if trigger.enabled != ALWAYS:
            statements += (_enable(site),)
        return _change(site, ChangeKind.REPLACE, function_fault, statements)
    if trigger.enabled != ALWAYS:
        state = {"D": "disabled", "O": "silent in replica mode", "R": "silent outside replica mode"}[trigger.enabled]
        return _change(site, ChangeKind.ENABLE, f"The trigger is {state}.", (_enable(site),))
    return _change(site, ChangeKind.KEEP, "The trigger is as the rule says.")


def drop_trigger(relation: Relation, trigger: Trigger, target: str) -> Change:
    """Return the change that removes a trigger no rule asks for."""
    action = next((c.action for c in ACTIONS if c.trigger == trigger.name), Action.EVENT)
    return Change(
        ChangeKind.DROP,
        target,
        action,
        qualified(*relation.identity),
        "No rule asks for it.",
        (Statement(_drop(relation, trigger.name)),),
        relation.oid,
    )


def drop_function(function: Function) -> Change:
    """Return the change that removes a function no rule asks for."""
    option = function.comment.removeprefix("auditctl: ").partition(" of ")[0]
    action = next((c.action for c in ACTIONS if c.option == option), Action.EVENT)
    target = commented_target(function.comment) or f"{TRIGGER_SCHEMA}.{function.name}"
    return Change(
        ChangeKind.DROP,
        target,
        action,
        f"{TRIGGER_SCHEMA}.{function.name}",
        "No rule needs the function.",
        (Statement(function.statement, as_owner=True),),
    )


def _change(site: Site, kind: ChangeKind, reason: str, statements: tuple[Statement, ...] = ()) -> Change:
    place = qualified(*site.relation.identity)
    return Change(kind, site.target, site.captured.action, place, reason, statements, site.relation.oid)


def _trigger_fault(site: Site, trigger: Trigger | None) -> str:
    if trigger is None:
        return ""
    if trigger.function != (TRIGGER_SCHEMA, site.function.name):
        return f"The trigger calls {'.'.join(trigger.function)}."
    if trigger.type_bits != site.captured.type_bits or not trigger.is_plain:
        return "The trigger's definition was changed."
    return ""


def _function_fault(wanted: Function, found: Function | None) -> str:
    if found is None:
        return ""
    if found.comment != wanted.comment:
        was = commented_target(found.comment)
        return f"The table was renamed from {was}." if was else "The function's comment was changed."
    if (found.is_sound, found.owner, found.grantees) != (wanted.is_sound, wanted.owner, wanted.grantees):
        return "The function's owner, privileges or security were changed."
    if dict(found.settings) != dict(wanted.settings) or found.source != wanted.source:
        return "The function differs from what the rule and the table's columns ask for."
    return ""


def _table(relation: Relation) -> sql.Composable:
    return sql.Identifier(*relation.identity)


def _create(site: Site) -> tuple[Statement, ...]:
    level = "for each row" if site.captured.per_row else "for each statement"
    function = sql.Identifier(TRIGGER_SCHEMA, site.function.name)
    create = sql.SQL("create trigger {} after {} on {} {} execute function {}()").format(
        sql.Identifier(site.captured.trigger),
        sql.SQL(site.captured.statement),
        _table(site.relation),
        sql.SQL(level),
        function,
    )
    # Whoever creates the trigger must be allowed to call the function at that moment, and only then.
    schema = sql.SQL("{} usage on schema {} {} session_user")
    execute = sql.SQL("{} execute on function {}() {} session_user")
    grants, revokes = (
        tuple(
            Statement(clause.format(sql.SQL(verb), name, sql.SQL(preposition)).as_string(None), as_owner=True)
            for clause, name in ((schema, sql.Identifier(TRIGGER_SCHEMA)), (execute, function))
        )
        for verb, preposition in (("grant", "to"), ("revoke", "from"))
    )
    body = () if site.shares_function else _create_function(site.function)
    return (
        *body,
        *grants,
        Statement(create.as_string(None)),
        _enable(site),
        *revokes,
        *(() if site.shares_function else _grant(site.function)),
    )


def _recreate(site: Site, trigger: Trigger) -> tuple[Statement, ...]:
    return (Statement(_drop(site.relation, trigger.name)), *_create(site))


def _create_function(function: Function) -> tuple[Statement, ...]:
    name = sql.Identifier(TRIGGER_SCHEMA, function.name)
    revoke = sql.SQL("revoke execute on function {}() from public").format(name)
    note = sql.SQL("comment on function {}() is {}").format(name, sql.Literal(function.comment))
    return (
        Statement(function.statement, as_owner=True),
        Statement(revoke.as_string(None), as_owner=True),
        Statement(note.as_string(None), as_owner=True),
    )


def _grant(function: Function) -> tuple[Statement, ...]:
    """PostgreSQL asks for EXECUTE when the owner of a partitioned table makes a partition, and clones the trigger."""
    grant = sql.SQL("grant execute on function {}() to {}")
    name = sql.Identifier(TRIGGER_SCHEMA, function.name)
    return tuple(
        Statement(grant.format(name, sql.Identifier(grantee)).as_string(None), as_owner=True)
        for grantee in function.grantees
    )


def _repair_function(wanted: Function, found: Function) -> tuple[Statement, ...]:
    name = sql.Identifier(TRIGGER_SCHEMA, wanted.name)
    take = sql.SQL("alter function {}() owner to {}").format(name, sql.Identifier(wanted.owner))
    revokes = (
        sql.SQL("revoke execute on function {}() from {}").format(name, sql.Identifier(grantee))
        for grantee in found.grantees
        if grantee not in ("public", *wanted.grantees)
    )
    return (
        *(() if found.owner == wanted.owner else (Statement(take.as_string(None)),)),
        *_create_function(wanted),
        *(Statement(revoke.as_string(None), as_owner=True) for revoke in revokes),
        *_grant(wanted),
    )


def _drop(relation: Relation, trigger: str) -> str:
    return sql.SQL("drop trigger {} on {}").format(sql.Identifier(trigger), _table(relation)).as_string(None)


def _enable(site: Site) -> Statement:
    statement = sql.SQL("alter table {} enable always trigger {}").format(
        _table(site.relation), sql.Identifier(site.captured.trigger)
    )
    return Statement(statement.as_string(None))
