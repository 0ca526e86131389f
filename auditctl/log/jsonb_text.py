"""Reads the text that PostgreSQL writes of jsonb, without making values of it.

That text is canonical: keys are sorted by length and bytes, and occur once; numbers are printed plainly. Only the zeros
at the end of a fraction differ between equal values. So what is equal is compared as text, however deep or large it is.
Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf"{_STRING}|[{{}}\[\]]")
_LEXEME = re.compile(rf'{_STRING}|[{{}}\[\]]|[^\s{{}}\[\],:"]+')
_SCALAR = re.compile(r"[^,}\]]*")
_FRACTION = re.compile(rf"({_STRING})|([0-9])\.([0-9]+)")


def string(text: str) -> str:
    """Return a text as a string of jsonb, with quotes."""
    return json.dumps(text, ensure_ascii=False)


def number(text: str) -> str:
    """Return the text of a number, such as 1e2, as jsonb has it, without zeros at the end of a fraction."""
    plain = plain_number(text)
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def plain_number(text: str) -> str:
    """Return the text of a number, such as 1e2, as jsonb has it."""
    plain = format(Decimal(text), "f")
    return plain if plain.strip("-0.") else plain.removeprefix("-")


def canonical(text: str) -> str:
    """Return a valid JSON text as `normal` returns an equal value."""
    return _rewritten(text, number)


def rewritten(text: str) -> str:
    """Return a valid JSON text as jsonb has it, with the zeros that its numbers have."""
    return _rewritten(text, plain_number)


def _rewritten(text: str, written: Callable[[str], str]) -> str:
    stack: list[list[str]] = [[]]
    for match in _LEXEME.finditer(text):
        lexeme = match[0]
        if lexeme in ("{", "["):
            stack.append([])
        elif lexeme in ("}", "]"):
            parts = stack.pop()
            stack[-1].append(_object(parts) if lexeme == "}" else f"[{', '.join(parts)}]")
        elif lexeme[0] == '"':
            stack[-1].append(string(json.loads(lexeme)))
        else:
            stack[-1].append(lexeme if lexeme.isalpha() else written(lexeme))
    return stack[0][0]


def normal(text: str) -> str:
    """Return the text of a value without zeros at the end of fractions: equal values have equal texts."""
    return _FRACTION.sub(_without_zeros, text) if "." in text else text


def has_number(text: str) -> bool:
    """Return whether a value has a number in it, outside of strings."""
    return any(character.isdigit() for character in re.sub(_STRING, "", text))


def member(text: str | None, key: str) -> str | None:
    """Return the text of the value that an object has under a key; None without one, and for what is not an object."""
    name = string(key)
    if text is None or text[:1] != "{" or f"{name}: " not in text:
        return None
    depth = 0
    for token in _TOKEN.finditer(text):
        lexeme = token[0]
        if lexeme[0] == '"':
            if depth == 1 and lexeme == name and text.startswith(": ", token.end()):
                return _value(text, token.end() + 2)
        else:
            depth += 1 if lexeme in ("{", "[") else -1
    return None


def keys(text: str | None) -> list[str]:
    """Return the keys of an object, in its order; none of another value."""
    found, depth = [], 0
    for token in _TOKEN.finditer(text) if text and text[0] == "{" else ():
        if token[0][0] != '"':
            depth += 1 if token[0] in ("{", "[") else -1
        elif depth == 1 and text and text.startswith(": ", token.end()):
            found.append(as_text(token[0]) or "")
    return found


def has(text: str | None, name: str) -> bool:
    """Return whether an object has a key, or an array a string, as the operator `?` decides it."""
    if text is None or text[:1] == "{":
        return member(text, name) is not None
    wanted, depth = string(name), 0
    for token in _TOKEN.finditer(text) if wanted in text else ():
        if token[0][0] != '"':
            depth += 1 if token[0] in ("{", "[") else -1
        elif token[0] == wanted and (depth == 1 or len(text) == len(wanted)):
            return True
    return False


def as_text(value: str | None) -> str | None:
    """Return a value as the operator `->>` does: a string without its quotes, and None for null."""
    if value is None or value == "null":
        return None
    try:
        return str(json.loads(value)) if value[:1] == '"' else value
    except ValueError:  # of a file that was altered
        return value


def _object(parts: list[str]) -> str:
    pairs = dict(zip(parts[::2], parts[1::2], strict=True))
    keys = {name: str(json.loads(name)).encode() for name in pairs}
    ordered = sorted(pairs, key=lambda name: (len(keys[name]), keys[name]))
    return "{" + ", ".join(f"{name}: {pairs[name]}" for name in ordered) + "}"


def _without_zeros(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    fraction = match[3].rstrip("0")
    return f"{match[2]}.{fraction}" if fraction else match[2]


def _value(text: str, start: int) -> str | None:
    opening = text[start : start + 1]
    if opening not in ("{", "["):
        found = (_TOKEN if opening == '"' else _SCALAR).match(text, start)
        return found[0] if found else None
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0][0] != '"':
            depth += 1 if token[0] in ("{", "[") else -1
        if depth == 0:
            return text[start : token.end()]
    return None
