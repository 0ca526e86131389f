"""Finds the texts of a key in an archive, by the types of its columns that the manifest has.

Does for the usual types what auditctl.find_key does for all: it reads a key, and returns the text that capture writes,
and those that equal values may have. A text of another type means itself. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise, product

from auditctl.archive.manifest import Target
from auditctl.log import jsonb_text

_ZEROS = 40
"""How many zeros at the end a number may be recorded with."""

_LONGEST = 1_000
"""Longer keys, in bytes, are recorded by their start and hash."""

_BLANKS = " \t\n\r\f\v"
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMERIC = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{4}(-?[0-9a-f]{4}){7}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TYPE = re.compile(r"(?P<name>[^(]+?)\s*(\((?P<modifier>[0-9, -]+)\))?", re.ASCII)
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class KeyTexts:
    """The texts under which a target's events may have a key.

    Attributes:
        spellings: The texts, at least one; the first is how capture writes it.
        fault: Why the text cannot be a key of the target; None if it can.
        columns: The columns of the key with their types; None if they are not known.
        ignores_case: Whether all texts that differ from these in case alone mean the same key.
    """

    spellings: tuple[str, ...]
    fault: str | None = None
    columns: str | None = None
    ignores_case: bool = False


Variants = Callable[[str, str], list[str]]
"""Turns a text and the modifier of a type into the JSON values that it means, first as it is recorded."""


def find(key: str, target: Target) -> KeyTexts:
    """Return the texts of a key of a target."""
    itself = dict.fromkeys((key, _fit(key)))
    types = [_TYPE.fullmatch(text) for text in target.key_types]
    if not types:
        return KeyTexts(tuple(dict.fromkeys((_untyped(key), *itself))))
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(target.key_columns, target.key_types, strict=False))
    names = [(match["name"], match["modifier"] or "") if match else ("text", "") for match in types]
    try:
        values = [_variants(part, *name) for part, name in zip(_parts(key, names), names, strict=True)]
    except ValueError as error:
        return KeyTexts(tuple(itself), str(error), columns)
    texts = map(_text, values[0]) if len(values) == 1 else (f"[{', '.join(some)}]" for some in product(*values))
    return KeyTexts(
        tuple(dict.fromkeys([*map(_fit, texts), *itself])), None, columns, any(name == "citext" for name, _ in names)
    )


def _parts(key: str, types: Sequence[tuple[str, str]]) -> list[str | None]:
    """Return the text of each column, None for null."""
    if len(types) == 1:
        return [key if types[0][0] in _AS_WRITTEN else key.strip(_BLANKS)]
    fault = f"not a JSON array of {len(types)} values"
    try:
        parts = json.loads(key, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise ValueError(fault) from None
    if not isinstance(parts, list) or len(parts) != len(types):
        raise ValueError(fault)
    return [_part(part) for part in parts]


def _part(part: object) -> str | None:
    if part is None or isinstance(part, str):
        return part
    return json.dumps(part)


def _variants(text: str | None, name: str, modifier: str) -> list[str]:
    if text is None:
        return ["null"]
    return _TYPES.get(name, _string)(text, modifier)


def _string(text: str, _: str) -> list[str]:
    return [jsonb_text.string(text)]


def _padded(text: str, modifier: str) -> list[str]:
    return [jsonb_text.string(text.rstrip(" ").ljust(int(modifier)) if modifier else text)]


def _integer(name: str, bits: int) -> Variants:
    def variants(text: str, _: str) -> list[str]:
        if not _INTEGER.fullmatch(text):
            raise ValueError(f'invalid input syntax for type {name}: "{text}"')
        digits = text.lstrip("+-").lstrip("0") or "0"
        number = int(digits[:30]) * (-1 if text.startswith("-") else 1)
        if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            raise ValueError(f'value "{text}" is out of range for type {name}')
        return [str(number)]

    return variants


def _numeric(text: str, modifier: str) -> list[str]:
    if text.lower().lstrip("+-") in ("nan", "infinity", "inf"):
        return _string(text, modifier)
    if not _NUMERIC.fullmatch(text):
        raise ValueError(f'invalid input syntax for type numeric: "{text}"')
    plain = jsonb_text.number(text)
    whole, _, fraction = plain.partition(".")
    given = jsonb_text.plain_number(text)
    if modifier:
        scale = int(modifier.partition(",")[2] or 0)
        return [_scaled(whole, fraction, scale) if len(fraction) <= scale else given]
    zeros = (_scaled(whole, fraction, len(fraction) + count) for count in range(_ZEROS + 1))
    return list(dict.fromkeys((given, *zeros)))


def _scaled(whole: str, fraction: str, scale: int) -> str:
    return f"{whole}.{fraction.ljust(scale, '0')}" if scale > 0 else whole


def _uuid(text: str, _: str) -> list[str]:
    inner = text[1:-1] if text[:1] == "{" and text[-1:] == "}" else text
    if not _UUID.fullmatch(inner.lower()):
        raise ValueError(f'invalid input syntax for type uuid: "{text}"')
    digits = inner.lower().replace("-", "")
    bounds = (0, 8, 12, 16, 20, 32)
    return [jsonb_text.string("-".join(digits[first:end] for first, end in pairwise(bounds)))]


def _boolean(text: str, _: str) -> list[str]:
    word = text.lower()
    for value, words in (("true", _TRUE), ("false", _FALSE)):
        # "o" may be on or off.
        if any(one.startswith(word) for one in words) and word not in ("", "o"):
            return [value]
    raise ValueError(f'invalid input syntax for type boolean: "{text}"')


def _day(text: str, modifier: str) -> list[str]:
    if not _DATE.fullmatch(text):
        return _string(text, modifier)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'date/time field value out of range: "{text}"') from None
    return _string(text, modifier)


_TYPES: dict[str, Variants] = {
    "smallint": _integer("smallint", 16),
    "integer": _integer("integer", 32),
    "bigint": _integer("bigint", 64),
    "numeric": _numeric,
    "uuid": _uuid,
    "boolean": _boolean,
    "date": _day,
    "character": _padded,
}
"""The types whose values have several texts that one writes."""

_AS_WRITTEN = ("text", "character varying", "character", "name", '"char"', "citext")
"""The types in which a blank at an end is a part of the value."""


def _text(value: str) -> str:
    """Return the text of the key of one column."""
    if value in ("true", "false"):
        return value[0]
    return str(json.loads(value)) if value[0] == '"' else value


def _untyped(key: str) -> str:
    """Return a key of unknown types: a JSON array as jsonb writes it, any other text as it is."""
    if not key.lstrip(_BLANKS).startswith("["):
        return _fit(key)
    try:
        json.loads(key)
    except (ValueError, RecursionError):
        return _fit(key)
    return _fit(jsonb_text.rewritten(key))


def _fit(key: str) -> str:
    data = key.encode()
    if len(data) <= _LONGEST:
        return key
    return f"{key[:100]}\u2026 sha256:{hashlib.sha256(data).hexdigest()}"
