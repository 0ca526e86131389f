"""Operations of Django's migrations that state and remove the rule of a model's table."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any

from django.conf import settings
from django.db.migrations.operations.base import Operation, OperationCategory

from auditctl.capture import rule_keys
from auditctl.capture.config import tables
from auditctl.capture.rule_keys import Rule
from auditctl.integrations import table_rules
from auditctl.integrations.django import states
from auditctl.integrations.django.options import OPTION

_WITHOUT_STORE = "To do without it, as in a database for tests: AUDITCTL_REQUIRED = False in the settings"


class _TableOperation(Operation):  # type: ignore[misc]
    """What both operations share: the model, and how they reach its table."""

    reduces_to_sql = True
    reversible = True
    category = OperationCategory.ALTERATION

    model_name: str

    @property
    def model_name_lower(self) -> str:
        """The model's name as states have it."""
        return self.model_name.lower()

    def references_model(self, name: str, _app_label: str) -> bool:
        """Return whether the operation is about a model, or may be about its many-to-many table."""
        return name.lower() in self._names()

    def reduce(self, operation: Operation, app_label: str) -> Any:
        """Return the later operation alone if it is about the same model's rule, or whether it may come first."""
        if isinstance(operation, _TableOperation) and operation.model_name_lower == self.model_name_lower:
            return [operation]
        return super().reduce(operation, app_label) or not any(
            operation.references_model(name, app_label) for name in self._names()
        )

    def _names(self) -> list[str]:
        """Return the names of the models whose table, or whose many-to-many table, it may be."""
        name = self.model_name_lower
        return [name, *(name[:place] for place, character in enumerate(name) if character == "_")]

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
        keys = states.keys(state, app_label, self.model_name)
        if keys is None and is_restored and states.has_renamed(state, app_label, self.model_name):
            return
        with table_rules.errors_explained(_WITHOUT_STORE):
            if keys is None:
                statement = table_rules.unaudit(table(model))
            else:
                statement = table_rules.audit(rule(model, keys), is_restored=is_restored)
            schema_editor.execute(statement, None)


class AuditTable(_TableOperation):
    """States the rule of a model's table: `AuditTable("customer", mask=["card"])`.

    Args:
        model_name: The model, or MODEL_FIELD for the table that Django creates for a many-to-many field.
        **keys: The keys of a rule, as in a file; columns may be named by their fields.
    """

    def __init__(self, model_name: str, **keys: Any) -> None:
        self.model_name, self.keys = model_name, keys

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Enter the rule in the model's state."""
        states.enter(state, app_label, self.model_name, self.keys)

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
        model_name: The model, or MODEL_FIELD for the table of a many-to-many field.
    """

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Remove the rule from the model's state."""
        states.enter(state, app_label, self.model_name, None)

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


def rule(model: Any, keys: Mapping[str, Any], source: str = "") -> Rule:
    """Return the rule that keys state about a model's table; messages name the source, else the model.

    Raises:
        ConfigurationError: A key is unknown, or a value is not one of it.
    """
    return tables.stated(table(model), keys, source or f"{model._meta.label}: {OPTION}")


def _has_store(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(table_rules.HAS_STORE)
        return bool(cursor.fetchone()[0])
