"""What autogenerate adds to a revision: the operations that make the stored rules those that are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import CreateTableOp, DropTableOp, UpgradeOps
from alembic.util import DispatchPriority
from sqlalchemy import Table

from auditctl import table_names
from auditctl.capture.config import document, tables
from auditctl.capture.rule_keys import Rule
from auditctl.errors import ConfigurationError
from auditctl.integrations import table_rules
from auditctl.integrations.alembic.operations import AuditTable, Nothing, ReleaseTable, UnauditTable, is_required
from auditctl.integrations.table_rules import Difference
from auditctl.names import OWN_SCHEMAS

FILE = "auditctl.toml"
"""The file with the rules, beside alembic.ini; `auditctl_file` there, or in context.configure, names another one."""

_OPEN = object()
"""Stands for a declaration that a table does not have."""


class _OneWay(AuditTable):
    """States a rule, and does nothing in the other direction."""

    def reverse(self) -> MigrateOperation:
        """Return an operation that does nothing."""
        return Nothing(self)


@comparators.dispatch_for("schema", qualifier="postgresql", priority=DispatchPriority.FIRST)
def leave_out_store(_context: AutogenContext, _upgrade: UpgradeOps, schemas: set[str | None]) -> None:
    """Keep the comparison of tables away from those of the store, which no model has: it would drop them."""
    schemas -= set(OWN_SCHEMAS)


@comparators.dispatch_for("schema", qualifier="postgresql", priority=DispatchPriority.LAST)
def compare(context: AutogenContext, upgrade: UpgradeOps, _schemas: set[str | None]) -> None:
    """Add the operations that make the stored rules those that are declared, and end auditing of tables that go.

    Raises:
        ConfigurationError: A declaration is not valid; every problem is listed.
        StoreError: Something is declared, and the database has no store.
    """
    with table_rules.errors_explained():
        _compare(context, upgrade)


def _compare(context: AutogenContext, upgrade: UpgradeOps) -> None:
    models = {_registered(context, table.name, table.schema): table for table in _tables(context)}
    file = _file(context)
    stored = _stored(context, is_needed=bool(file) or any(table.info.get("audit") for table in models.values()))
    declared = _declared(context, models, file or (), {rule.name for rule in stored})
    created, dropped = (
        {_registered(context, op.table_name, op.schema): op for op in upgrade.ops if isinstance(op, kind)}
        for kind in (CreateTableOp, DropTableOp)
    )
    names = {rule.name for rule in declared}
    removable = {name for name, table in models.items() if table.info.get("audit", _OPEN) is _OPEN} if names else set()
    if file is not None:
        removable |= {rule.name for rule in stored if table_names.parse(rule.name).is_glob}
    removed = (removable | dropped.keys()) - names
    shown = {name: table_rules.name(op.table_name, op.schema) for name, op in (created | dropped).items()} | {
        name: table_rules.name(table.name, table.schema) for name, table in models.items()
    }
    # A table that a glob covers without a rule of its own can be dropped only if it is released.
    globs = [rule for rule in (stored if file is None else file) if table_names.parse(rule.name).is_glob]
    releases = [ReleaseTable(shown[name]) for name in sorted(dropped) if _is_refused(name, globs)]
    upgrade.ops[:0] = releases
    upgrade.ops += [Nothing(ReleaseTable(shown[name])) for name in sorted(created) if _is_refused(name, globs)]
    for difference in table_rules.compare(stored, declared, removed):
        _add(upgrade.ops, difference, shown)


def _add(operations: list[MigrateOperation], each: Difference, shown: dict[str, str]) -> None:
    """Add the operations for a difference: a rule comes after the columns that it names, in both directions."""
    before, after = (rule and replace(rule, name=shown.get(rule.name, rule.name)) for rule in (each.before, each.after))
    if before is None and after is not None:
        operations.append(AuditTable(after, each.next_after))
    elif after is None and before is not None:
        operations.insert(0, UnauditTable(before.name, before, each.next_before))
    elif before is not None and after is not None:
        operations.append(_OneWay(after, each.next_after))
        operations.insert(0, Nothing(_OneWay(before, each.next_before)))


def _is_refused(name: str, globs: Iterable[Rule]) -> bool:
    """Whether the guard would refuse to drop a table for the first glob that covers it."""
    table = table_names.parse(name)
    first = next((rule for rule in globs if table_names.parse(rule.name).covers(table)), None)
    return first is not None and bool(first.actions) and first.on_drop == "refuse"


def _tables(context: AutogenContext) -> Iterator[Table]:
    """Yield the tables of the models that the filters of env.py let through."""
    for table in context.sorted_tables:
        if context.run_object_filters(table, table.name, "table", False, None):
            yield table


def _registered(context: AutogenContext, table: str, schema: str | None) -> str:
    return table_rules.name(table, schema or _connection(context).dialect.default_schema_name)


def _connection(context: AutogenContext) -> Any:
    return context.connection  # there is one, as autogenerate refuses to make a script


def _declared(context: AutogenContext, models: dict[str, Table], file: Sequence[Rule], known: set[str]) -> list[Rule]:
    """Return the rules of the file and the models, with registered names."""
    default = _registered(context, "x", None).rpartition(".")[0]
    rules = [_named(rule, default, known | models.keys()) for rule in file]
    origins = {rule.name: rule.origin for rule in rules}
    problems: list[str] = []
    for name, table in models.items():
        origin = f"table {table.fullname}"
        try:
            keys = table_rules.declared(table.info.get("audit"), origin)
            if keys is None:
                continue
            rules.append(tables.stated(name, keys, origin))
        except ConfigurationError as error:
            problems += error.problems
        if name in origins:
            problems.append(f"{origin}: audit: {origins[name]} states a rule of it, too")
    if problems:
        raise ConfigurationError(problems)
    return rules


def _named(rule: Rule, default: str, known: set[str]) -> Rule:
    """Return a rule of the file under its registered name: as written, or in lower case if only that is there."""
    pattern = table_names.parse(rule.name)
    names = [str(each) if each.schema else f"{default}.{each}" for each in (pattern, pattern.lowered())]
    return replace(rule, name=next((name for name in names if name in known), names[0]))


def _file(context: AutogenContext) -> tuple[Rule, ...] | None:
    """Return the rules of the file; None without one."""
    options, config = context.opts, context.migration_context.config
    folder = Path(config.config_file_name).parent if config and config.config_file_name else Path()
    chosen = options.get("auditctl_file") or (config and config.get_main_option("auditctl_file"))
    path = folder / (chosen or FILE)
    if not chosen and not path.is_file():
        return None
    try:
        loaded = document.load(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path.name}: cannot be read: {error}"]) from error
    if loaded.problems:
        raise ConfigurationError(loaded.problems)
    return loaded.rules


def _stored(context: AutogenContext, *, is_needed: bool) -> tuple[Rule, ...]:
    """Return the rules that the database has; none without a store, or a right to read them, if none is declared."""
    connection = _connection(context)
    if not is_needed and not connection.exec_driver_sql(table_rules.MAY_READ).scalar():
        return ()
    if not connection.exec_driver_sql(table_rules.HAS_STORE).scalar():
        if is_required(context.opts):
            raise table_rules.no_store()
        return ()
    return table_rules.parse(connection.exec_driver_sql(table_rules.READ).scalars())
