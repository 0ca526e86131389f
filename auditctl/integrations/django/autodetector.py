"""Detects what models declare about auditing in `Meta.audit`, and no migration states yet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from auditctl.actions import DEFAULT
from auditctl.capture import rule_keys
from auditctl.capture.config import tables
from auditctl.capture.rule_keys import Kind
from auditctl.integrations import table_rules
from auditctl.integrations.django.operations import AuditTable, UnauditTable
from auditctl.integrations.django.options import MANY_TO_MANY, OPTION, OPTIONS
from auditctl.integrations.django.states import many_to_many, with_columns

_SHARED = [key.name for key in rule_keys.KEYS if key.kind not in (Kind.COLUMNS, Kind.TEXT)]
"""The keys of a model's rule that its many-to-many tables share: those that concern no column and no name."""


@cache
def detecting(base: type[Any]) -> type[Any]:
    """Return an autodetector of Django, or of another library, that also follows `Meta.audit`.

    Always the same class for the same base: a system check of Django compares those of its two commands.
    """
    return type(base.__name__, (_Detecting, base), {})


class _Detecting:
    """Adds the operations once all others are known."""

    def _sort_migrations(self: Any) -> None:
        differences = list(_differences(self))
        for operations in self.generated_operations.values():
            for operation in operations:
                # AuditTable states it, once the table is there.
                if not getattr(operation, "options", {}).keys().isdisjoint(OPTIONS):
                    operation.options = {key: value for key, value in operation.options.items() if key not in OPTIONS}
        super()._sort_migrations()  # type: ignore[misc]
        # What a rule names has to be there, so rules come last; they go before models and fields that go.
        for app_label, model_name, keys, is_first in differences:
            operation = UnauditTable(model_name) if keys is None else AuditTable(model_name, **keys)
            self.add_operation(app_label, operation, beginning=is_first)


def _differences(detector: Any) -> Iterator[tuple[str, str, Any, bool]]:
    """Yield the models whose declaration differs from their state.

    For each its application and name, the keys of its rule or None for none, and whether that comes before the rest.
    """
    old = detector.old_model_keys | detector.old_unmanaged_keys
    new = detector.new_model_keys | detector.new_unmanaged_keys
    former = {key: (key[0], name.lower()) for key, name in detector.renamed_models.items()}
    for key in sorted(new):
        if detector.to_state.models[key].options.get(OPTION, ()) is None:
            # The rule is left to others.
            continue
        before = _keys(detector.from_state, former.get(key, key)) if former.get(key, key) in old else None
        after = _keys(detector.to_state, key)
        if after is not None:
            # The migration states the actions, whatever the default may be later.
            after = {"actions": [action.value.lower() for action in DEFAULT]} | with_columns(
                detector.to_state.models[key], after
            )
        if not _is_same(before, after):
            yield key[0], detector.to_state.models[key].name, after, after is None and key not in former
        yield from _many_to_many(detector, key, former.get(key, key), after)
    for key in sorted(old - new - set(former.values())):
        model = detector.from_state.models[key]
        for field in model.options.get(MANY_TO_MANY, {}):
            yield key[0], f"{model.name}_{field}", None, True
        if _keys(detector.from_state, key) is not None:
            yield key[0], detector.from_state.models[key].name, None, True


def _many_to_many(
    detector: Any, key: tuple[str, str], former: tuple[str, str], keys: Any
) -> Iterator[tuple[str, str, Any, bool]]:
    """Yield the same of the tables that Django creates for many-to-many fields: they follow the rule of their model."""
    model, before = detector.to_state.models[key], detector.from_state.models.get(former)
    if model.options.get(MANY_TO_MANY, True) is None:
        return
    stated = before.options.get(MANY_TO_MANY, {}) if before else {}
    fields = many_to_many(model) if model.options.get("managed", True) else []
    is_followed = keys is not None and keys["actions"] not in ([], ()) and model.options.get(MANY_TO_MANY, True)
    shared = {name: value for name, value in keys.items() if name in _SHARED} if is_followed else None
    for field in fields:
        if not _is_same(stated.get(field), shared):
            yield key[0], f"{model.name}_{field}", shared, False
    renamed = [old for (*place, _), old in detector.renamed_fields.items() if tuple(place) == key]
    for field in stated:
        if before and field in many_to_many(before) and field not in (*fields, *renamed):
            yield key[0], f"{before.name}_{field}", None, True


def _keys(state: Any, key: tuple[str, str]) -> Any:
    return table_rules.declared(state.models[key].options.get(OPTION), f"{key[0]}.{key[1]}: Meta.{OPTION}")


def _is_same(before: Any, after: Any) -> bool:
    if before is None or after is None:
        return before is after
    first, second = (tables.stated("x.x", keys, "") for keys in (before, after))
    return first == second
