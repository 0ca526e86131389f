"""Trims the texts of filters, which people paste with blanks around them, and quotes the values that have some.

A value that begins or ends with a blank is written in double quotes: `" 4711"`. Quotes around any other text are a part
of it. Pure.
"""

from __future__ import annotations

import unicodedata


def trim(text: str) -> str:
    """Return the text without white space and format characters, such as U+200B, at its ends."""
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def value_of(text: str) -> str:
    """Return the value that a trimmed text means: what is in the quotes, where a value needs them, or else the text."""
    inner = text[1:-1]
    return inner if _is_quoted(text) and _needs_quotes(inner) else text


def text_of(value: str) -> str:
    """Return the text that means exactly this value, for links."""
    return f'"{value}"' if _needs_quotes(value) else value


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == '"'


def _needs_quotes(value: str) -> bool:
    """Return whether there is a blank at an end, or within quotes, which would otherwise be taken off."""
    left, right = (len(value) - len(rest) for rest in (value.lstrip('"'), value.rstrip('"')))
    layers = min(left, right, len(value) // 2)
    inner = value[layers : len(value) - layers]
    return inner != trim(inner)
