"""auditctl: a write-once activity log inside PostgreSQL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditctl.errors import AuditctlError
    from auditctl.integrations.current import acting_as
    from auditctl.integrations.psycopg import acting

__all__ = ["AuditctlError", "acting", "acting_as"]
__version__ = "0.1.0"

_MODULES = {"AuditctlError": "errors", "acting": "integrations.psycopg", "acting_as": "integrations.current"}
"""The module of each name, which loads on use: an application need not load the driver that it does not use."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    globals()[name] = value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
