"""Checks what models declare about auditing, with the other system checks of Django."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.db.migrations.state import ModelState

from auditctl.capture import rule_keys
from auditctl.errors import ConfigurationError
from auditctl.integrations import table_rules
from auditctl.integrations.django.operations import rule, with_columns
from auditctl.integrations.django.options import OPTION


def check_models(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Return what is wrong with the declarations of the models of some applications, or of all."""
    labels = None if app_configs is None else {config.label for config in app_configs}
    models = [model for model in apps.get_models() if labels is None or model._meta.app_label in labels]
    return [
        Error(f"{text}", obj=model, id="auditctl.E001")
        for model in models
        if getattr(model._meta, OPTION, None) is not None
        for text in _mistakes(model)
    ]


def _mistakes(model: Any) -> Iterator[str]:
    if model._meta.proxy:
        yield f"Meta.{OPTION} belongs to the model that the proxy is for"
        return
    try:
        keys = table_rules.declared(getattr(model._meta, OPTION), f"{model._meta.label}: Meta.{OPTION}")
        stated = rule(model, with_columns(ModelState.from_model(model), keys or {}))
    except ConfigurationError as error:
        yield from error.problems
        return
    columns = {field.column for field in model._meta.local_concrete_fields}
    for key in rule_keys.COLUMNS:
        for name in getattr(stated, key.name) or ():
            if name not in columns:
                yield f"Meta.{OPTION}: {key.name}: the model has no field {name}"
