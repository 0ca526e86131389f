"""Displays recorded text and user names: control characters as codes, and no user that passes for another kind."""

from __future__ import annotations

import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def harmless(text: str) -> str:
    r"""Return the text on one line, with control, format and unassigned characters as \n, \x1b or \u202e."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) not in _UNSEEN:
        return character
    return coded(character)


def coded(character: str) -> str:
    """Return the character as its code."""
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def format_user(name: str, kind: str) -> str:
    """Return an event's user as `(System)`, `@login`, or the name that an application gave.

    Args:
        name: The event's user.
        kind: Its actor_kind: `system`, `database` or `application`.
    """
    name = harmless(name)
    if kind == "system":
        return f"({name})"
    if kind == "database":
        return f"@{name}"
    looks_marked = unicodedata.normalize("NFKC", name).lstrip().startswith(("(", "@"))
    return coded(name[0]) + name[1:] if looks_marked else name
