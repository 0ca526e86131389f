"""Rules of tables in migrations: the SQL statements that state them, what a tool declares, and what differs from it.

Pure, but for `translate`. Each operation is one statement (sql/functions/45_admin/table_rules.sql), which does the same
in a script.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from auditctl import table_names
from auditctl.capture import precedence, rule_keys
from auditctl.capture.rule_keys import Kind, Rule
from auditctl.errors import AuditctlError, ConfigurationError, DatabaseError, StoreError

READ = "select pg_catalog.to_jsonb(r)::text from auditctl.rule as r order by r.position, r.name"
"""Reads the stored rules."""

HAS_STORE = "select pg_catalog.to_regclass('auditctl.rule') is not null"

MAY_READ = "select coalesce(pg_catalog.has_table_privilege(pg_catalog.to_regclass('auditctl.rule'), 'select'), false)"

REFRESH = """do $auditctl$
begin
    if exists (
        select
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = 'auditctl' and p.proname = 'refresh_capture'
            and pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_function_privilege(p.oid, 'execute')
    ) then
        perform auditctl.refresh_capture();
    end if;
end
$auditctl$"""
"""Brings capture in step with DDL where there is a store, the login may, and the coverage guard is off."""

REASON = "a migration drops the table"

_MISSING = ("3F000", "42883")
"""SQLSTATEs of a store that lacks the schema or the function."""

_MISFITS = ("22023", "22P02", "42602", "42703", "42P01")
"""SQLSTATEs of a rule that does not fit."""


def keys(rule: Rule) -> dict[str, Any]:
    """Return what a rule states, as keyword arguments of an operation: its actions, and what is not the default."""
    values = {"actions": [action.value.lower() for action in rule.actions]}
    values |= {key.name: _plain(value) for key, value in rule.explicit_values().items() if key.kind is not Kind.ACTIONS}
    return values


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def audit(rule: Rule, before: str | None = None, *, is_restored: bool = False) -> str:
    """Return the statement that states a rule.

    Args:
        rule: The rule.
        before: The glob that it comes before, if it is one; None for the first that would hide it.
        is_restored: Whether columns that it names may be added later in the same migration.
    """
    arguments = [_literal(rule.name), _literal(json.dumps(keys(rule), ensure_ascii=False))]
    arguments += [f"p_before => {_literal(before)}"] if before else []
    arguments += ["p_is_restored => true"] if is_restored else []
    return f"select auditctl.audit_table({', '.join([*arguments, *_schemas(rule.name)])})"


def unaudit(name: str) -> str:
    """Return the statement that removes the rule of a table or glob."""
    return f"select auditctl.unaudit_table({', '.join([_literal(name), *_schemas(name)])})"


def release(name: str) -> str:
    """Return the statement that lets the next command drop a table that a glob covers."""
    return f"select auditctl.release_table({', '.join([_literal(name), _literal(REASON), *_schemas(name)])})"


def _schemas(name: str) -> list[str]:
    """Return the argument by which the session's search path decides what a name without a schema means."""
    return [] if table_names.parse(name).schema else ["p_schemas => pg_catalog.current_schemas(false)"]


def _literal(text: str) -> str:
    return sql.Literal(text).as_string(None).strip()


def name(table: str, schema: str | None = None) -> str:
    """Return the name of a rule for a table of exactly this name; without a schema, one of the search path."""
    return table_names.qualified(schema, table) if schema else table_names.quoted(table)


def parse(rows: Iterable[str]) -> tuple[Rule, ...]:
    """Return the stored rules from what `READ` returns."""
    return tuple(rule_keys.from_row(json.loads(row)) for row in rows)


def is_same(one: Rule, other: Rule, globs: Sequence[Rule] = ()) -> bool:
    """Whether two rules of one name audit alike beside these globs."""
    return _effect(one, globs) == _effect(other, globs)


def _effect(rule: Rule, globs: Sequence[Rule]) -> dict[str, Any]:
    others = [other for other in globs if other.name != rule.name]
    wider = precedence.wider([rule, *others], rule)
    exclude, mask = precedence.hidden((each.exclude, each.mask) for each in (rule, *wider))
    in_force = replace(rule, exclude=tuple(sorted(exclude or ())), mask=tuple(sorted(mask or ())))
    return in_force.row()


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule that a migration has to state, change or remove.

    Attributes:
        name: Its name.
        before: As it is stored; None where there is none.
        after: As it is declared; None where there should be none.
        next_before: The glob that it comes before now, if it is one; None for none.
        next_after: The glob that it should come before; None for none.
    """

    name: str
    before: Rule | None
    after: Rule | None
    next_before: str | None = None
    next_after: str | None = None


def compare(stored: Sequence[Rule], declared: Sequence[Rule], removed: Iterable[str] = ()) -> list[Difference]:
    """Return how stored rules differ from declared ones, in an order in which they can be stated.

    Args:
        stored: The stored rules, in their order.
        declared: The declared rules, in their order, with registered names.
        removed: The names of stored rules that should go.
    """
    known = {rule.name: rule for rule in stored}
    gone = [name for name in known if name in frozenset(removed)]
    old, new = _globs(stored), _globs(declared)
    later = new or [rule for rule in old if rule.name not in gone]
    found = [Difference(name, known[name], None) for name in gone]
    # Globs are stated from the last to the first, as each comes before one that is there.
    is_moved = _names(old, new) != _names(new, old)
    for rule in reversed(new):
        before = known.get(rule.name)
        if before is None or is_moved or not is_same(before, rule):
            places = (
                _following([each for each in old if each.name not in gone], rule.name),
                _following(new, rule.name),
            )
            found.append(Difference(rule.name, before, rule, *places))
    for rule in declared:
        before = known.get(rule.name)
        if rule not in new and (before is None or _effect(before, old) != _effect(rule, later)):
            found.append(Difference(rule.name, before, rule))
    return found


def _globs(rules: Iterable[Rule]) -> list[Rule]:
    return [rule for rule in rules if table_names.parse(rule.name).is_glob]


def _names(rules: Iterable[Rule], others: Iterable[Rule]) -> list[str]:
    """Return the names of those rules that the others have, too."""
    both = {rule.name for rule in others}
    return [rule.name for rule in rules if rule.name in both]


def _following(rules: Sequence[Rule], name: str) -> str | None:
    names = [rule.name for rule in rules]
    place = names.index(name) + 1 if name in names else len(names)
    return names[place] if place < len(names) else None


def translate(error: BaseException) -> AuditctlError | None:
    """Return the error of ours that stands for one that a statement of this module met; None if the server is silent.

    Args:
        error: An error of any driver, or one that a library raised from it.
    """
    causes = [error, *_causes(error)]
    sqlstate = next((state for each in causes if (state := _sqlstate(each))), None)
    if sqlstate is None:
        return None
    message = next((text for each in causes if (text := _detail(each, "message_primary", "message"))), str(error))
    hint = next((text for each in causes if (text := _detail(each, "message_hint", "hint"))), "")
    if sqlstate in _MISSING and "auditctl" in message:
        return no_store()
    if sqlstate == "42501" and not hint:
        hint = "Ask the DBA for: auditctl grant admin LOGIN"
    if sqlstate in _MISFITS:
        return ConfigurationError([message], hint=hint)
    return DatabaseError(message, hint=hint, sqlstate=sqlstate)


def _causes(error: BaseException) -> Iterable[BaseException]:
    for cause in (getattr(error, "orig", None), error.__cause__):
        if isinstance(cause, BaseException):
            yield cause
            yield from _causes(cause)


def _sqlstate(error: BaseException) -> str | None:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state if isinstance(state, str) else None


def _detail(error: BaseException, diagnostic: str, attribute: str) -> str:
    value = getattr(getattr(error, "diag", None), diagnostic, None) or getattr(error, attribute, None)
    return " ".join(value.split()) if isinstance(value, str) else ""


@contextmanager
def errors_explained(without_store: str = "") -> Iterator[None]:
    """Turn errors of the block's statements, by whichever driver, into ours, with the hint as a note in a traceback.

    Args:
        without_store: What to add to the hint if the database has no store.

    Raises:
        ConfigurationError: A rule does not fit the database.
        StoreError: The database has no store.
        DatabaseError: The login may not, or the database refused for another reason.
    """
    try:
        yield
    except Exception as error:
        ours = error if isinstance(error, AuditctlError) else translate(error)
        if ours is None:
            raise
        if isinstance(ours, StoreError) and without_store:
            ours.hint += f". {without_store}"
        if ours.hint:
            ours.add_note(f"hint: {ours.hint}")
        raise ours from (None if ours is error else error)


def no_store() -> StoreError:
    """Return the error about a database without a store, or with an older one."""
    return StoreError("the database has no auditctl store of this version", hint="Run: auditctl install")


def declared(audit: object, source: str) -> Mapping[str, Any] | None:
    """Return the keys of a rule that a model declares; None if it declares none.

    Args:
        audit: A dictionary of keys; True for the defaults; False for a table that is not audited; None for none.
        source: The model, for messages.

    Raises:
        ConfigurationError: It is something else.
    """
    if audit is None or isinstance(audit, Mapping):
        return audit
    if isinstance(audit, bool):
        return {} if audit else {"actions": []}
    raise ConfigurationError([f"{source}: audit: must be a dictionary of keys, true or false"])
