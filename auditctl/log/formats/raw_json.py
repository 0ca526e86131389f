"""Reads the members of a JSON object as the text that stands there, so that numbers keep their digits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_scan = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|[^"{}\[\]]++', re.DOTALL)
_COMMA = re.compile(r"[ \n]*,[ \n]*")
_COLON = re.compile(r"[ \n]*:[ \n]*")
_END = re.compile(r"\}[ \n]*")


def members(text: str) -> Iterator[tuple[str, str, object]]:
    """Yield key, text of the value and value of each member, in their order and also if a key comes twice.

    Numbers are values as text. An object or array that is too deep for the parser has None as its value.

    Raises:
        ValueError: It is not an object.
    """
    if not text.startswith("{"):
        raise ValueError("not a JSON object")
    place = 1
    if _END.fullmatch(text, place):
        return
    while True:
        key, place = _scan(text, place)
        if not isinstance(key, str) or not (colon := _COLON.match(text, place)):
            raise ValueError("not a JSON object")
        start = colon.end()
        try:
            value, end = _scan(text, start)
        except RecursionError:
            value, end = None, _end(text, start)
        yield key, text[start:end], value
        if comma := _COMMA.match(text, end):
            place = comma.end()
        elif _END.fullmatch(text, end):
            return
        else:
            raise ValueError("not a JSON object")


def has_member(document: str | None, key: str) -> bool:
    """Return whether an object that PostgreSQL printed has a key; False if it is none."""
    return document is not None and document.startswith("{") and any(name == key for name, _, _ in members(document))


def member(document: str | None, key: str) -> str | None:
    """Return a member of an object that PostgreSQL printed, as its operator `->>` does; None if it is none."""
    if document is None or not document.startswith("{"):
        return None
    for name, text, value in members(document):
        if name == key:
            return value if text.startswith('"') and isinstance(value, str) else None if text == "null" else text
    return None


def _end(text: str, start: int) -> int:
    """Where an object or array ends."""
    depth = 0
    while token := _TOKEN.match(text, start):
        start = token.end()
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth == 0:
            return start
    raise ValueError("not JSON")
