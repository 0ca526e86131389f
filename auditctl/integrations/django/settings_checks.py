"""Checks the settings that begin with AUDITCTL_, and the middleware, with the other system checks of Django."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from auditctl.errors import UsageError
from auditctl.integrations.django import ActingMiddleware, function_of
from auditctl.integrations.requests import Proxies
from auditctl.text import did_you_mean, in_quotes

_AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def check_settings() -> list[checks.CheckMessage]:
    """Return what is wrong with the settings."""
    stated = {name: getattr(settings, name) for name in dir(settings) if name.startswith("AUDITCTL_")}
    return [
        *(
            checks.Error(f"{name}: {error}", hint=getattr(error, "hint", None) or None, id="auditctl.E002")
            for name, value in stated.items()
            if name in _CHECKS and (error := _error(_CHECKS[name], name, value))
        ),
        *(
            checks.Warning(
                f"{name}: unknown setting", hint=did_you_mean(name, tuple(_CHECKS)) or None, id="auditctl.W001"
            )
            for name in stated
            if name not in _CHECKS
        ),
        *_middleware(stated),
    ]


def _error(check: Callable[[str, Any], object], name: str, value: Any) -> Exception | None:
    try:
        check(name, value)
    except (ImportError, TypeError, UsageError) as error:
        return error
    return None


def _switch(_: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise UsageError(f"must be True or False, not {in_quotes(str(value))}")


def _switch_or_none(name: str, value: Any) -> None:
    if value is not None:
        _switch(name, value)


def _header(_: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise UsageError(f"must be the name of a header or None, not {in_quotes(str(value))}")


_CHECKS: Mapping[str, Callable[[str, Any], object]] = {
    "AUDITCTL_USER": lambda name, _: function_of(name),
    "AUDITCTL_REASON": lambda name, _: function_of(name),
    "AUDITCTL_TRUSTED_PROXIES": lambda _, value: Proxies(value),
    "AUDITCTL_REQUEST_ID_HEADER": _header,
    "AUDITCTL_READS": _switch_or_none,
    "AUDITCTL_REQUIRED": _switch,
}
"""By the name of a setting: what raises an error if its value is not valid."""


def _middleware(stated: Mapping[str, Any]) -> Iterator[checks.CheckMessage]:
    if not settings.MIDDLEWARE:
        return
    if not _has_middleware(f"{ActingMiddleware.__module__}.ActingMiddleware"):
        hint = "Add auditctl.integrations.django.ActingMiddleware after AuthenticationMiddleware."
        yield checks.Warning(
            "MIDDLEWARE: nothing names the user of a request in the log", hint=hint, id="auditctl.W002"
        )
    elif not stated.get("AUDITCTL_USER") and not _has_middleware(_AUTHENTICATION):
        hint = f"Add {_AUTHENTICATION} before ActingMiddleware, or set AUDITCTL_USER."
        yield checks.Warning("MIDDLEWARE: nothing says who is signed in", hint=hint, id="auditctl.W003")


def _has_middleware(path: str) -> bool:
    """Return whether a middleware is there, or one that is derived from it."""
    names = settings.MIDDLEWARE
    return path in names or any(path == f"{base.__module__}.{base.__name__}" for each in names for base in _bases(each))


def _bases(path: str) -> tuple[type, ...]:
    try:
        return tuple(getattr(import_string(path), "__mro__", ()))
    except Exception:  # noqa: BLE001 - Django itself reports what cannot be imported
        return ()
