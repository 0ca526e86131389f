"""Operations of Django's migrations that state and remove the rule of a model's table."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any

from django.conf import settings
from django.db.migrations.operations.base import Operation

from auditctl.capture import rule_keys
from auditctl.capture.config import tables
from auditctl.capture.rule_keys import Rule
from auditctl.integrations import table_rules
from auditctl.integrations.django.options import OPTION


class _TableOperation(Operation):  # type: ignore[misc]
    """What both operations share: the model, and how they reach its table."""

    reduces_to_sql = True
    reversible = True

    model_name: str

    @property
    def model_name_lower(self) -> str:
        """The model's name as states have it."""
        return self.model_name.lower()

    def references_model(self, name: str, _app_label: str) -> bool:
        """Return whether the operation is about a model."""
        return bool(name.lower() == self.model_name_lower)

    def reduce(self, operation: Operation, app_label: str) -> Any:
        """Return the later operation alone if it is about the same model's rule, or whether it may come first."""
        if isinstance(operation, _TableOperation) and operation.model_name_lower == self.model_name_lower:
            return [operation]
        return super().reduce(operation, app_label) or not operation.references_model(self.model_name, app_label)

    def database_forwards(self, app_label: str, schema_editor: Any, _from_state: Any, to_state: Any) -> None:
        """State the rule that the state has after the operation."""
        self._state(app_label, schema_editor, to_state, is_restored=False)

    def database_backwards(self, app_label: str, schema_editor: Any, _from_state: Any, to_state: Any) -> None:
        """State the rule that the state had before it; columns that it hides may be added later."""
        self._state(app_label, schema_editor, to_state, is_restored=True)

    def _state(self, app_label: str, schema_editor: Any, state: Any, *, is_restored: bool) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        connection = schema_editor.connection
        if connection.vendor != "postgresql" or not self.allow_migrate_model(connection.alias, model):
            return
        if not getattr(settings, "AUDITCTL_REQUIRED", True) and not _has_store(connection):
            return
        keys = state.models[app_label, self.model_name_lower].options.get(OPTION)
        with table_rules.errors_explained():
            if keys is None:
                statement = table_rules.unaudit(table(model))
            else:
                statement = table_rules.audit(rule(model, keys), is_restored=is_restored)
            schema_editor.execute(statement, None)


class AuditTable(_TableOperation):
    """States the rule of a model's table: `AuditTable("customer", mask=["card"])`.

    Args:
        model_name: The model.
        **keys: The keys of a rule, as in a file; columns may be named by their fields.
    """

    def __init__(self, model_name: str, **keys: Any) -> None:
        self.model_name, self.keys = model_name, keys

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Enter the rule in the model's state."""
        keys = with_columns(state.models[app_label, self.model_name_lower], self.keys)
        state.alter_model_options(app_label, self.model_name_lower, {OPTION: keys})

    def describe(self) -> str:
        """Return what the operation does, for lists."""
        return f"Audit {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        """The part of a migration's name."""
        return f"audit_{self.model_name_lower}"


class UnauditTable(_TableOperation):
    """Removes the rule of a model's table; capture ends unless a glob matches the table, and the log stays.

    Args:
        model_name: The model.
    """

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Remove the rule from the model's state."""
        state.alter_model_options(app_label, self.model_name_lower, {}, [OPTION])

    def describe(self) -> str:
        """Return what the operation does, for lists."""
        return f"End auditing of {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        """The part of a migration's name."""
        return f"unaudit_{self.model_name_lower}"


# What Django writes into a migration are the parameters that the signature names.
AuditTable.__init__.__signature__ = Signature(  # type: ignore[attr-defined]
    [Parameter(each, Parameter.POSITIONAL_OR_KEYWORD) for each in ("self", "model_name")]
    + [Parameter(key.name, Parameter.POSITIONAL_OR_KEYWORD, default=None) for key in rule_keys.KEYS]
)


def table(model: Any) -> str:
    """Return the name of the rule for a model's table, which may have its schema in it as `shop"."customer`."""
    schema, found, name = model._meta.db_table.strip('"').partition('"."')
    return table_rules.name(name, schema) if found else table_rules.name(schema)


def rule(model: Any, keys: Mapping[str, Any]) -> Rule:
    """Return the rule that keys state about a model's table.

    Raises:
        ConfigurationError: A key is unknown, or a value is not one of it.
    """
    return tables.stated(table(model), keys, f"{model._meta.label}: {OPTION}")


def with_columns(model_state: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys with columns in place of the fields that a model has at that time: later states may lack them."""
    columns = {name: field.db_column or _attribute(name, field) for name, field in model_state.fields.items()}
    named = {key.name for key in rule_keys.COLUMNS}
    return {
        key: [columns.get(name, name) for name in value] if key in named and isinstance(value, list | tuple) else value
        for key, value in keys.items()
    }


def _attribute(name: str, field: Any) -> str:
    return f"{name}_id" if field.many_to_one or field.one_to_one else name


def _has_store(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(table_rules.HAS_STORE)
        return bool(cursor.fetchone()[0])
