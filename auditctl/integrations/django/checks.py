"""Checks what models declare about auditing, with the other system checks of Django."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.db.migrations.state import ModelState

from auditctl.capture import rule_keys
from auditctl.errors import ConfigurationError
from auditctl.integrations import table_rules
from auditctl.integrations.django.operations import rule
from auditctl.integrations.django.options import MANY_TO_MANY, OPTION
from auditctl.integrations.django.states import with_columns
from auditctl.text import did_you_mean


def check_models(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Return what is wrong with the declarations of the models of some applications, or of all."""
    labels = None if app_configs is None else {config.label for config in app_configs}
    models = [model for model in apps.get_models() if labels is None or model._meta.app_label in labels]
    declared = [model for model in models if getattr(model._meta, OPTION, None) is not None]
    mistakes = [(model, text) for model in models for text in _many_to_many(model)]
    mistakes += [(model, text) for model in declared for text in _mistakes(model)]
    mistakes += _shared_labels([model for model in declared if not model._meta.proxy])
    return [Error(text, hint=_inherited(model), obj=model, id="auditctl.E001") for model, text in mistakes]


def _mistakes(model: Any) -> Iterator[str]:
    if model._meta.proxy:
        yield f"Meta.{OPTION} belongs to the model that the proxy is for"
        return
    state = ModelState.from_model(model)
    try:
        keys = table_rules.declared(getattr(model._meta, OPTION), "Meta")
        stated = rule(model, with_columns(state, keys or {}), f"Meta.{OPTION}")
    except ConfigurationError as error:
        yield from error.problems
        return
    columns = {field.column for field in model._meta.local_concrete_fields}
    for key in rule_keys.COLUMNS:
        for name in getattr(stated, key.name) or ():
            if name not in columns:
                advice = did_you_mean(name, [*state.fields, *columns], before="; did you mean ")
                yield f"Meta.{OPTION}: {key.name}: the model has no field {name}{advice}"
    for name in sorted({*(stated.exclude or ())} & {*(stated.mask or ())}):
        yield f"Meta.{OPTION}: exclude and mask both name {name}"


def _many_to_many(model: Any) -> Iterator[str]:
    if not isinstance(getattr(model._meta, MANY_TO_MANY, True), bool | None):
        yield f"Meta.{MANY_TO_MANY}: must be True, False or None"


def _shared_labels(models: list[Any]) -> Iterator[tuple[Any, str]]:
    """Yield the models whose label another one has in the same table of the log."""
    first: dict[str, Any] = {}
    for model in models:
        keys = getattr(model._meta, OPTION)
        label = keys.get("label") if isinstance(keys, Mapping) else None
        if isinstance(label, str) and first.setdefault(label, model) is not model:
            yield model, f"Meta.{OPTION}: label: {label} is that of {first[label]._meta.label}, too"


def _inherited(model: Any) -> str | None:
    """Return the hint about a declaration that a model inherits with the Meta of an abstract one."""
    for base in model.__mro__[1:]:
        options = getattr(base, "_meta", None)
        audit = getattr(model._meta, OPTION, None)
        if options is not None and options.abstract and audit is not None and getattr(options, OPTION, None) is audit:
            return (
                f"The declaration is that of the abstract model {base.__name__}: "
                f"give {model.__name__} a Meta({base.__name__}.Meta) with its own {OPTION}."
            )
    return None
