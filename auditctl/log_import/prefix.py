"""Compiles a log_line_prefix into patterns that recognize the first line of a record and its fields. Pure.

A client chooses the names that it logs in with, and the prefix has them as they are: with line ends, or with a text
that looks like the rest of a line. So a prefix also says where such names begin, how many bytes they may fill, and
whether a line can be read in more than one way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditctl.log_import.severities import PARTS, SEVERITIES

_NAME = "[^\\n]{0,63}"
"""A name that a client chooses: PostgreSQL cuts it at 63 bytes."""

_FREE = ("u", "d", "a")
_NAME_BYTES = 64

_ESCAPES: Mapping[str, tuple[str, str]] = {
    "a": ("application", _NAME),
    "u": ("login", _NAME),
    "d": ("database", _NAME),
    "r": ("host", r"[^\s(]{0,255}(?:\((?P<port>[0-9]{1,5})\))?"),
    "h": ("host", r"[^\s(]{0,255}?"),
    "L": ("local", r"\S{0,255}?"),
    "b": ("backend", r"[^\n]{0,63}?"),
    "p": ("process", r"[0-9]{1,10}"),
    "P": ("leader", r"[0-9]{0,10}"),
    "t": ("time", r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [^\s:\[\]]{1,10}"),
    "m": ("time", r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} [^\s:\[\]]{1,10}"),
    "n": ("epoch", r"[0-9]{1,11}\.[0-9]{3}"),
    "i": ("command", r"[^\n]{0,63}?"),
    "e": ("state", r"[0-9A-Z]{5}"),
    "c": ("session", r"[0-9a-f]{1,12}\.[0-9a-f]{1,8}"),
    "l": ("number", r"[0-9]{1,19}"),
    "s": ("started", r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [^\s:\[\]]{1,10}"),
    "v": ("transaction", r"(?:-?[0-9]{1,10}/[0-9]{1,10})?"),
    "x": ("xact_id", r"[0-9]{1,20}"),
    "Q": ("query_id", r"-?[0-9]{1,20}"),
}
"""What each escape prints: the name of the field, and a pattern."""

_WORDS = "|".join(re.escape(word) for word in sorted((*SEVERITIES, *PARTS), key=len, reverse=True))
_WORD = f"(?P<word>{_WORDS})(?: |\N{NO-BREAK SPACE})?: {{1,3}}"
_ESCAPE = re.compile(r"%(?P<pad>-?[0-9]{0,3})(?P<letter>[^0-9-])|(?P<text>[^%]+|%)", re.DOTALL)

MISSING: Mapping[str, str] = {
    "login": "%u: lines that do not name the user are left out, except failed logins whose message does",
    "database": "%d: only failed logins and statements about roles are imported; others may be of any database",
    "host": "%r or %h: events have no address",
    "state": "%e: refusals and failed logins are recognized in English only",
    "session": "%c: lines are not recognized as those that jsonlog and csvlog have, too",
}
"""What is lost without a field."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A log_line_prefix.

    Attributes:
        text: As the server has it.
        fields: The fields that it prints.
        first: Matches the first line of a record or of a part of it, such as DETAIL.
        word: Finds the word that begins a message or a part of it.
        head: Matches a line as far as no client chooses what it says.
        reach: How many bytes the names in the prefix may fill, and so how far text of a client may go on; 0 if there
            are none.
        readings: Patterns that read a line in different ways; the first is the right one where all agree.
    """

    text: str
    fields: frozenset[str]
    first: re.Pattern[bytes]
    word: re.Pattern[bytes]
    head: re.Pattern[bytes]
    reach: int
    readings: tuple[re.Pattern[str], ...]

    @property
    def has_time(self) -> bool:
        """Whether the lines have a time of their own."""
        return bool(self.fields & {"time", "epoch"})

    @property
    def missing(self) -> list[str]:
        """What is lost because the prefix lacks a field."""
        return [loss for name, loss in MISSING.items() if name not in self.fields]

    def match(self, line: str) -> tuple[re.Match[str] | None, bool]:
        """Return the fields of a line, None if it has not the prefix; and whether it can be read in several ways."""
        matches = [match for pattern in self.readings if (match := pattern.match(line))]
        if not matches:
            return None, False
        return matches[0], any(match.start("word") != matches[0].start("word") for match in matches)


def compile_prefix(text: str) -> Prefix:
    """Return the patterns of a log_line_prefix. Unknown escapes print nothing, as in the server."""
    pieces = list(_pieces(text))
    free = [number for number, (letter, _) in enumerate(pieces) if letter in _FREE]
    head = "".join(pattern for letter, pattern in pieces[: free[0] if free else len(pieces)] if letter != "q")
    without_session = "".join(pattern for _, pattern in _until_session(pieces))
    greedy, lazy = _joined(pieces), _joined([(letter, _lazy(letter, pattern)) for letter, pattern in pieces])
    return Prefix(
        text=text,
        fields=frozenset(re.compile(greedy).groupindex),
        first=re.compile((lazy + _WORD).encode()),
        word=re.compile(_WORD.encode()),
        head=re.compile(_unnamed(head).encode()),
        reach=(len(text) + 2 * _NAME_BYTES * len(free)) if free else 0,
        readings=tuple(re.compile(pattern + _WORD, re.ASCII) for pattern in (greedy, lazy, without_session)),
    )


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the escapes with their pattern; for text between them, an empty letter."""
    seen: set[str] = set()
    for found in _ESCAPE.finditer(text):
        letter = found["letter"]
        if letter is None:
            yield "", re.escape(found["text"]) if found["text"] != "%" else ""
        elif letter == "%":
            yield "", "%"
        elif letter == "q":
            yield "q", ""
        elif letter in _ESCAPES:
            name, pattern = _ESCAPES[letter]
            named = pattern if name in seen else f"(?P<{name}>{pattern})"
            seen.add(name)
            yield letter, _padded(named if named != pattern else _unnamed(pattern), found["pad"])


def _padded(pattern: str, pad: str) -> str:
    if not pad or not int(pad.lstrip("-") or 0):
        return pattern
    return f"{pattern} *" if pad.startswith("-") else f" *{pattern}"


def _lazy(letter: str, pattern: str) -> str:
    return pattern.replace("{0,63})", "{0,63}?)", 1) if letter in _FREE else pattern


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<[a-z_]+>", "(?:", pattern)


def _until_session(pieces: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the pieces that processes without a session print: those before %q."""
    for letter, pattern in pieces:
        if letter == "q":
            return
        yield letter, pattern


def _joined(pieces: list[tuple[str, str]]) -> str:
    """Return the pattern, in which everything after %q is optional."""
    letters = [letter for letter, _ in pieces]
    if "q" not in letters:
        return "".join(pattern for _, pattern in pieces)
    middle = letters.index("q")
    before, after = ("".join(p for letter, p in part if letter != "q") for part in (pieces[:middle], pieces[middle:]))
    return f"{before}(?:{after})?"
