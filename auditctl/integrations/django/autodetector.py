"""Detects what models declare about auditing in `Meta.audit`, and no migration states yet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from auditctl.actions import DEFAULT
from auditctl.capture.config import tables
from auditctl.integrations import table_rules
from auditctl.integrations.django.operations import AuditTable, UnauditTable, with_columns
from auditctl.integrations.django.options import OPTION


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
                if OPTION in getattr(operation, "options", {}):
                    operation.options = {key: value for key, value in operation.options.items() if key != OPTION}
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
        before = _keys(detector.from_state, former.get(key, key)) if former.get(key, key) in old else None
        after = _keys(detector.to_state, key)
        if after is not None:
            # The migration states the actions, whatever the default may be later.
            after = {"actions": [action.value.lower() for action in DEFAULT]} | with_columns(
                detector.to_state.models[key], after
            )
        if not _is_same(before, after):
            yield key[0], detector.to_state.models[key].name, after, after is None and key not in former
    for key in sorted(old - new - set(former.values())):
        if _keys(detector.from_state, key) is not None:
            yield key[0], detector.from_state.models[key].name, None, True


def _keys(state: Any, key: tuple[str, str]) -> Any:
    return table_rules.declared(state.models[key].options.get(OPTION), f"{key[0]}.{key[1]}: Meta.{OPTION}")


def _is_same(before: Any, after: Any) -> bool:
    if before is None or after is None:
        return before is after
    first, second = (tables.stated("x.x", keys, "") for keys in (before, after))
    return first == second
