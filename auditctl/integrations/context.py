"""Checks and writes what an application states: the user, the address, and a context with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditctl.errors import UsageError
from auditctl.text import has_visible

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

MAX_BYTES = 16384
"""The longest context the database accepts as an object, in bytes."""

_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def actor(name: str | None) -> str:
    """Return the value of the setting auditctl.actor; empty for None."""
    return "" if name is None else _require_text("actor", name)


def address(ip: str | IPv4Address | IPv6Address | None) -> str | None:
    """Return an address as text; None for None."""
    return None if ip is None else _require_text("ip", str(ip))


def with_reason(context: Mapping[str, object], reason: str | None) -> dict[str, object]:
    """Return a context with a reason, if there is one."""
    return dict(context) if reason is None else {"reason": _require_text("reason", reason), **context}


def dump(context: Mapping[str, object]) -> str:
    """Return a context as JSON.

    Raises:
        UsageError: It has no JSON form, holds a NUL byte, or is over 16 kB.
    """
    try:
        text = json.dumps(context, ensure_ascii=False, allow_nan=False, default=str)
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"the context has no JSON form: {error}") from error
    if _ESCAPED_NUL.search(text):
        raise UsageError("the context holds a NUL byte")
    if size > MAX_BYTES:
        raise UsageError(f"the context has {size} bytes, more than {MAX_BYTES}")
    return text


def load(text: str) -> dict[str, object] | None:
    """Return the object of a context; None where there is none, or the setting is not an object."""
    try:
        value = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _require_text(name: str, text: object) -> str:
    if not isinstance(text, str):
        raise UsageError(f"{name} is of type {type(text).__name__}, not a text", hint="Convert it, as by str(user.id).")
    if "\0" in text or not has_visible(text):
        reason = "is empty" if not text else "holds a NUL byte" if "\0" in text else "has no visible character"
        raise UsageError(f"{name} {reason}", hint="Pass None for nobody." if name == "actor" else "")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} is not valid Unicode: it has half of a surrogate pair") from None
    return text
