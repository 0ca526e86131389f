"""Where the states of migrations have the rules: with the models, those of many-to-many tables with their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import ManyToManyField

from auditctl.capture import rule_keys
from auditctl.errors import ConfigurationError
from auditctl.integrations import table_rules
from auditctl.integrations.django.options import MANY_TO_MANY, OPTION
from auditctl.text import did_you_mean, in_quotes


def keys(state: Any, app_label: str, name: str) -> Any:
    """Return the keys of the rule that a state has for a model or a many-to-many table; None for no rule.

    Raises:
        ConfigurationError: The application has neither.
    """
    key = app_label, name.lower()
    if key in state.models:
        return state.models[key].options.get(OPTION)
    model, field = _owner(state, app_label, name)
    return model.options.get(MANY_TO_MANY, {}).get(field)


def enter(state: Any, app_label: str, name: str, keys: Mapping[str, Any] | None) -> None:
    """Enter the rule of a model or of a many-to-many table in a state; None for no rule.

    Raises:
        ConfigurationError: The application has neither.
    """
    key = app_label, name.lower()
    if key in state.models:
        entry = {} if keys is None else {OPTION: with_columns(state.models[key], keys)}
        state.alter_model_options(*key, entry, [OPTION])
        return
    model, field = _owner(state, app_label, name)
    known = model.options.get(MANY_TO_MANY, {})
    # A field that was renamed has its rule under the new name.
    entries = {each: known[each] for each in many_to_many(model) if each in known and each != field}
    entries |= {} if keys is None else {field: dict(keys)}
    state.alter_model_options(app_label, model.name_lower, {MANY_TO_MANY: entries})


def has_renamed(state: Any, app_label: str, name: str) -> bool:
    """Return whether a many-to-many table may have a rule under a former name of its field."""
    if (app_label, name.lower()) in state.models:
        return False
    model, _ = _owner(state, app_label, name)
    return not model.options.get(MANY_TO_MANY, {}).keys() <= set(many_to_many(model))


def many_to_many(model_state: Any) -> list[str]:
    """Return the fields of a model whose tables Django creates by itself."""
    return [
        name
        for name, field in model_state.fields.items()
        if isinstance(field, ManyToManyField) and field.remote_field.through is None
    ]


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


def _owner(state: Any, app_label: str, name: str) -> tuple[Any, str]:
    for model in state.models.values():
        for field in many_to_many(model) if model.app_label == app_label else ():
            if f"{model.name}_{field}".lower() == name.lower():
                return model, field
    with table_rules.errors_explained():
        raise _unknown(state, app_label, name)


def _unknown(state: Any, app_label: str, name: str) -> ConfigurationError:
    """Return the error about a name that means no model of the application."""
    label, _, bare = name.lower().rpartition(".")
    own = {key: model for key, model in state.models.items() if key[0] == app_label}
    tables = {_table(key, model): key[1] for key, model in own.items()}
    others = [_table(key, model) for key, model in state.models.items() if key[1] == bare and label in ("", key[0])]
    if label in ("", app_label) and (model := bare if (app_label, bare) in own else tables.get(bare)):
        hint = f"Write the name of the model alone: {model}"
    elif others:
        hint = (
            f"It is a model of another application: state the rule by auditctl enable {others[0]}, or in a "
            f"migration by RunSQL(\"select auditctl.audit_table('{others[0]}', '{{}}')\")."
        )
    else:
        hint = did_you_mean(bare, tuple(key[1] for key in own), before="Did you mean ") or (
            "Name a model of the application, or MODEL_FIELD for the table of a many-to-many field; "
            "the migration must depend on the one that creates it."
        )
    return ConfigurationError(
        [f"the application {app_label} has no model {in_quotes(name)} in this migration"], hint=hint
    )


def _table(key: tuple[str, str], model: Any) -> str:
    return str(model.options.get("db_table") or "_".join(key))
