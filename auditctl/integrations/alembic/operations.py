"""The operations that state and remove rules, and how a revision shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations

from auditctl import table_names
from auditctl.capture.config import tables
from auditctl.capture.rule_keys import Rule
from auditctl.integrations import table_rules

_LINE = 100
"""How long a line of a revision may be."""


@Operations.register_operation("audit_table")
class AuditTable(MigrateOperation):
    """States the rule of a table: `op.audit_table("billing.customer", actions=["update"], mask=["card"])`.

    Args:
        rule: The rule.
        before: The glob that it comes before, if it is one.
        former: The rule that a downgrade restores; None to remove it.
        former_before: The glob that this one comes before.
    """

    def __init__(
        self, rule: Rule, before: str | None = None, former: Rule | None = None, former_before: str | None = None
    ) -> None:
        self.rule, self.before, self.former, self.former_before = rule, before, former, former_before

    @classmethod
    def audit_table(
        cls, operations: Operations, table: str, *, schema: str | None = None, before: str | None = None, **keys: Any
    ) -> None:
        """State the rule of a table, and begin, change or end its capture with it.

        Args:
            operations: What Alembic passes.
            table: The table as `schema.table`, or a glob; without a schema, in the search path.
            schema: Its schema, if `table` is the name alone.
            before: The glob that it comes before, if it is one.
            **keys: The keys of a rule, as in a file.

        Raises:
            ConfigurationError: A key is unknown, or does not fit the table.
            StoreError: The database has no store.
        """
        with table_rules.errors_explained():
            name = _name(table, schema)
            rule = tables.stated(name, keys, f"op.audit_table({name!r})")
        operations.invoke(cls(rule, before))

    def reverse(self) -> MigrateOperation:
        """Return the operation of a downgrade."""
        if self.former is None:
            return UnauditTable(self.rule.name, self.rule, self.before)
        return AuditTable(self.former, self.former_before, self.rule, self.before)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return what `alembic check` shows."""
        return ("audit_table", self.rule.name, table_rules.keys(self.rule))


@Operations.register_operation("unaudit_table")
class UnauditTable(MigrateOperation):
    """Removes the rule of a table: `op.unaudit_table("billing.customer")`.

    Args:
        name: The table or glob.
        former: The rule that a downgrade restores; None if it is not known.
        former_before: The glob that it came before.
    """

    def __init__(self, name: str, former: Rule | None = None, former_before: str | None = None) -> None:
        self.name, self.former, self.former_before = name, former, former_before

    @classmethod
    def unaudit_table(cls, operations: Operations, table: str, *, schema: str | None = None) -> None:
        """Remove the rule of a table or glob; capture ends unless another rule matches, and the log stays.

        Args:
            operations: What Alembic passes.
            table: The table as `schema.table`, or a glob; without a schema, in the search path.
            schema: Its schema, if `table` is the name alone.

        Raises:
            ConfigurationError: The table does not exist, or has no rule of its own.
            StoreError: The database has no store.
        """
        with table_rules.errors_explained():
            name = _name(table, schema)
        operations.invoke(cls(name))

    def reverse(self) -> MigrateOperation:
        """Return the operation of a downgrade."""
        if self.former is None:
            raise NotImplementedError(f"the rule of {self.name} is not known, so that no downgrade can restore it")
        return AuditTable(self.former, self.former_before)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return what `alembic check` shows."""
        return ("unaudit_table", self.name)


@Operations.register_operation("release_table")
class ReleaseTable(MigrateOperation):
    """Lets the next command drop a table that a glob covers: `op.release_table("billing.draft")`.

    Args:
        name: The table.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def release_table(cls, operations: Operations, table: str, *, schema: str | None = None) -> None:
        """Let the next command do to an audited table what the coverage guard refuses; nothing for any other table.

        Args:
            operations: What Alembic passes.
            table: The table as `schema.table`; without a schema, in the search path.
            schema: Its schema, if `table` is the name alone.

        Raises:
            ConfigurationError: The table does not exist.
            DatabaseError: The table is under a legal hold, or the login may not.
            StoreError: The database has no store.
        """
        with table_rules.errors_explained():
            name = _name(table, schema)
        operations.invoke(cls(name))

    def reverse(self) -> MigrateOperation:
        """Return the operation of a downgrade."""
        return Nothing(self)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return what `alembic check` shows."""
        return ("release_table", self.name)


class Nothing(MigrateOperation):
    """Does nothing in one direction.

    Args:
        other: The operation in the other direction.
    """

    ops: Sequence[MigrateOperation] = ()

    def __init__(self, other: MigrateOperation) -> None:
        self.other = other

    def reverse(self) -> MigrateOperation:
        """Return the operation in the other direction."""
        return self.other


def _name(table: str, schema: str | None) -> str:
    return table_rules.name(table, schema) if schema else str(table_names.parse(table))


@Operations.implementation_for(AuditTable)
def _audit(operations: Operations, operation: AuditTable) -> None:
    _run(operations, table_rules.audit(operation.rule, operation.before))


@Operations.implementation_for(UnauditTable)
def _unaudit(operations: Operations, operation: UnauditTable) -> None:
    _run(operations, table_rules.unaudit(operation.name))


@Operations.implementation_for(ReleaseTable)
def _release(operations: Operations, operation: ReleaseTable) -> None:
    _run(operations, table_rules.release(operation.name))


def _run(operations: Operations, statement: str) -> None:
    """Run a statement, or write it to the script; other databases than PostgreSQL have no log."""
    impl = operations.get_context().impl
    if impl.__dialect__ != "postgresql":
        return
    if impl.as_sql:
        impl.static_output(f"{statement};")
        return
    bind = operations.get_bind().execution_options(no_parameters=True)
    with table_rules.errors_explained():
        if is_required(impl.context_opts) or bind.exec_driver_sql(table_rules.HAS_STORE).scalar():
            bind.exec_driver_sql(statement)


def is_required(options: Mapping[str, Any]) -> bool:
    """Whether a database without a store is an error, as `auditctl_required` of context.configure says."""
    return bool(options.get("auditctl_required", True))


@renderers.dispatch_for(AuditTable)
def _render_audit(_context: AutogenContext, operation: AuditTable) -> str:
    arguments = [repr(operation.rule.name)]
    arguments += [f"before={operation.before!r}"] if operation.before else []
    arguments += [f"{key}={value!r}" for key, value in table_rules.keys(operation.rule).items()]
    line = f"op.audit_table({', '.join(arguments)})"
    if len(line) <= _LINE:
        return line
    return "op.audit_table(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


@renderers.dispatch_for(UnauditTable)
def _render_unaudit(_context: AutogenContext, operation: UnauditTable) -> str:
    return f"op.unaudit_table({operation.name!r})"


@renderers.dispatch_for(ReleaseTable)
def _render_release(_context: AutogenContext, operation: ReleaseTable) -> str:
    return f"op.release_table({operation.name!r})"


@renderers.dispatch_for(Nothing)
def _render_nothing(_context: AutogenContext, _operation: Nothing) -> list[str]:
    return []
