"""Displays recorded text and user names: control characters as codes, and no user that passes for another kind."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BY_NAME = {code: letter for letter, code in _NAMED.items()}
_CODES = tuple(
    re.compile(rf"\\(?:[nrt]|x[0-9a-f]{{2}}|u{digits})") for digits in ("[0-9a-f]{4}", "(?:10|[1-9a-f])[0-9a-f]{4}")
)
"""The codes of characters; those beyond U+FFFF have more digits, and no mark at their end."""


def harmless(text: str) -> str:
    r"""Return the text on one line, with control, format and unassigned characters as \n, \x1b or \u202e."""
    return _replaced(text, coded, "")


def harmless_lines(text: str) -> str:
    """Like `harmless`, but line feeds stay."""
    return _replaced(text, coded)


def harmless_json(text: str) -> str:
    r"""Return JSON that means the same, with such characters as escapes of JSON like \u009b; line feeds stay."""
    return _replaced(text, lambda character: json.dumps(character)[1:-1])


def harmless_toml(text: str) -> str:
    r"""Return TOML that means the same, with such characters as escapes of TOML like \u009b; line feeds stay."""
    return _replaced(text, lambda letter: f"\\u{ord(letter):04x}" if letter <= "\uffff" else f"\\U{ord(letter):08x}")


def _replaced(text: str, code: Callable[[str], str], stay: str = "\n") -> str:
    """Return the text with a code for each character that is not seen, except those that stay."""
    if text.isprintable():
        return text
    # A text has few different characters: each is looked at once, however long the text is.
    return text.translate({ord(letter): code(letter) if _is_unseen(letter, stay) else letter for letter in set(text)})


def _is_unseen(character: str, stay: str) -> bool:
    return not character.isprintable() and unicodedata.category(character) in _UNSEEN and character not in stay


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


def shown_as(text: str) -> tuple[str, ...]:
    r"""Return the names that are shown as this text: itself, and those with characters of which it has the codes."""
    decoded = (codes.sub(_decoded, text) for codes in _CODES) if "\\" in text else ()
    others = (name for name in decoded if text in (harmless(name), format_user(name, "application")))
    return tuple(dict.fromkeys((text, *(name for name in others if not any(map(_is_unstorable, name))))))


def _decoded(code: re.Match[str]) -> str:
    return _BY_NAME.get(code[0]) or chr(int(code[0][2:], 16))


def _is_unstorable(character: str) -> bool:
    return character == "\0" or unicodedata.category(character) == "Cs"
