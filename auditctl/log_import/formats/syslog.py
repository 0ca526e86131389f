"""Parses log_destination = syslog: `Nov 24 08:00:00 host postgres[16]: [3-1] `, then a line of text.

The server numbers its messages and their lines, `[3-1]`, `[3-2]`, and lines of several processes alternate. A name with
a line end makes a line `[3-2]`, so no client can begin a record; any local program can, as syslog takes lines of all.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial

from auditctl.errors import UsageError
from auditctl.log_import.formats import text_log
from auditctl.log_import.formats.line_format import (
    Detected,
    FormatKind,
    LineFormat,
    Lines,
    LogSettings,
    Piece,
    read_line,
)
from auditctl.log_import.prefix import Prefix, compile_prefix
from auditctl.log_import.records import Clock, Malformed, Record
from auditctl.log_import.severities import PARTS
from auditctl.text import in_quotes

NAME = "syslog"
USUAL = tuple(compile_prefix(text) for text in ("%q%u@%d ", "user=%u,db=%d ", "user=%u,db=%d,app=%a,client=%h ", ""))

_HEADER = (
    r"(?:<[0-9]{1,3}>)?(?P<moment>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})) (?P<machine>\S{1,255}) [^\s:\[]{1,64}\[(?P<pid>[0-9]{1,10})\]: "
    r"\[(?P<message>[0-9]{1,20})(?:-(?P<chunk>[0-9]{1,10}))?\] ?"
)
_LINE = re.compile(_HEADER.encode())
_TEXT = re.compile(_HEADER)
_TAB = re.compile(r"#011|\t")
_PATIENCE = 512
"""After how many further lines a message counts as complete."""


@dataclass(slots=True)
class _Open:
    """A message, and the bytes of the file from its first line to the next message's."""

    number: int
    key: tuple[bytes, ...]
    message: bytes
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    count: int = 0
    end: bytes = b""
    is_complete: bool = False

    def piece(self) -> Piece:
        return Piece(b"".join(self.lines), self.size, self.count, end=self.end)


class _Queue:
    """The messages that may have further lines, in the order of their first."""

    def __init__(self) -> None:
        self._messages: deque[_Open] = deque()
        self._by_process: dict[tuple[bytes, ...], _Open] = {}
        self._lines = 0

    def add(self, line: bytes, size: int) -> Piece | None:
        """Add a line; return it as a piece of its own if it is of something else and no message is open."""
        self._lines += 1
        if found := _LINE.match(line):
            self._add_to_message(found, line)
        if not self._messages:
            return Piece(b"", size, end=line)
        last = self._messages[-1]
        last.size, last.count, last.end = last.size + size, last.count + 1, line
        return None

    def _add_to_message(self, found: re.Match[bytes], line: bytes) -> None:
        key = (found["machine"], found["pid"])
        message = self._by_process.get(key)
        if found["chunk"] in (None, b"1"):
            if message:
                message.is_complete = True
            self._by_process[key] = _Open(self._lines, key, found["message"], [line])
            self._messages.append(self._by_process[key])
        elif message and message.message == found["message"]:
            message.lines.append(line)

    def pop(self, *, is_end: bool = False) -> Iterator[Piece]:
        """Remove and yield the first messages that are complete; at the end of the file, all."""
        while self._messages and (is_end or self._is_complete(self._messages[0])):
            done = self._messages.popleft()
            if self._by_process.get(done.key) is done:
                del self._by_process[done.key]
            yield done.piece()

    def _is_complete(self, message: _Open) -> bool:
        return message.is_complete or self._lines - message.number >= _PATIENCE


def _split(lines: Lines) -> Iterator[Piece]:
    queue = _Queue()
    while True:
        line, size, is_complete = read_line(lines)
        if not is_complete:
            yield from queue.pop(is_end=True)
            return
        if other := queue.add(line, size):
            yield other
        yield from queue.pop()


def _parse(text: str, clock: Clock, prefix: Prefix) -> Record:
    pieces: list[str] = []
    moment = pid = ""
    for line in text.removesuffix("\n").split("\n"):
        if not (found := _TEXT.match(line)):
            raise Malformed("not a line of syslog")
        chunk = line[found.end() :].removesuffix("\r")
        if not pieces:
            moment, pid = found["moment"], found["pid"]
            pieces.append(chunk)
        elif tab := _TAB.match(chunk):
            pieces.append(f"\n\t{chunk[tab.end() :]}")
        elif (part := prefix.readings[0].match(chunk)) and part["word"] in PARTS:
            pieces.append(f"\n{chunk}")
        else:
            pieces.append(chunk)
    return replace(text_log.parse("".join(pieces), clock, prefix, at=_moment(moment)), process=pid)


def _moment(text: str) -> datetime | None:
    """Return the time of a line; None for one that has neither year nor time zone."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text[0].isdecimal() else None
    except ValueError as error:
        raise Malformed("not a time") from error


@lru_cache
def _format(prefix: Prefix) -> LineFormat:
    return LineFormat(
        name=NAME,
        begins=lambda first: _LINE.match(first) is not None,
        split=_split,
        is_whole=lambda _: True,
        parse=partial(_parse, prefix=prefix),
        salvage=lambda _: b"",
        state_marks=(b"", b"") if "state" in prefix.fields else None,
        prefix=prefix,
    )


def _detect(head: Sequence[bytes], settings: LogSettings) -> Detected | None:
    found = [(line, match) for line in head if (match := _LINE.match(line)) and match["chunk"] in (None, b"1")]
    prefix = text_log.best((*settings.prefixes, *USUAL), [line[match.end() :] for line, match in found])
    if prefix is None:
        return None
    line, match = next((line, match) for line, match in found if prefix.first.match(line[match.end() :]))
    if not prefix.has_time and _moment(match["moment"].decode()) is None:
        raise UsageError(
            f"lines of syslog such as {in_quotes(match['moment'].decode())} have no year and no time zone",
            hint="Add %m to log_line_prefix, or let syslog write times such as 2026-11-24T08:00:00+00:00.",
        )
    return Detected(_format(prefix), line)


KIND = FormatKind(NAME, _detect)
