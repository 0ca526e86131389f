"""Writes TOML with one key on each line, lists included, so that a new key adds one line to a diff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import tomli_w

Section = dict[str, str | bool | Sequence[str]]
"""The keys of one table of a file, in order."""


def dumps(sections: Iterable[tuple[str, Section]]) -> str:
    """Return a file.

    Args:
        sections: The tables in order, each with its header such as `[[table]]`; keys of the file itself have none.
    """
    return "\n".join("".join(_lines(header, section)) for header, section in sections)


def _lines(header: str, section: Section) -> Iterable[str]:
    if header:
        yield f"{header}\n"
    for key, value in section.items():
        yield f"{key} = {_value(value)}\n"


def _value(value: str | bool | Sequence[str]) -> str:
    if isinstance(value, str | bool):
        return tomli_w.dumps({"key": value}).removeprefix("key = ").rstrip("\n")
    return f"[{', '.join(map(_value, value))}]"
