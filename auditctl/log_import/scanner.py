"""Finds the records of one file that become events.

Parses only records whose bytes contain the mark of a source. Counts what cannot be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from auditctl.log_import.files import TAIL, FilePosition, LogFile, digest
from auditctl.log_import.formats.line_format import LONGEST, LineFormat, Lines, Piece
from auditctl.log_import.records import Clock, Malformed, Record, clean
from auditctl.log_import.report import Summary
from auditctl.log_import.sources import SOURCES
from auditctl.log_import.sources.source import Entry, ForgedRecord, OwnRead

REPORT_EVERY = 10_000
"""How many records are read between two reports of progress."""

_MARKS = tuple(dict.fromkeys(mark for source in SOURCES for mark in source.marks))
_WORDS = tuple(dict.fromkeys((*_MARKS, *(word for source in SOURCES for word in source.words))))
_STATES = b"|".join(dict.fromkeys(state.encode() for source in SOURCES for state in source.states))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A record that a source knows.

    Attributes:
        read: What it says.
        start: Where it begins.
        end: Where the next record begins.
    """

    read: Entry
    start: FilePosition
    end: FilePosition


def _contains(raw: bytes, marks: Sequence[bytes]) -> bool:
    """Whether any mark is in the bytes; a loop takes half the time of any(), and most lines come no further."""
    for mark in marks:  # noqa: SIM110
        if mark in raw:
            return True
    return False


def _state_search(form: LineFormat) -> Callable[[bytes], object]:
    """Return a function that finds the SQLSTATE of a source in a piece: one search costs a third of one for each."""
    if form.state_marks is None:
        return lambda _: None
    before, after = map(re.escape, form.state_marks)
    return re.compile(before + b"(?:" + _STATES + b")" + after).search


class Scanner:
    """One pass over a file.

    Attributes:
        file: The file.
        end: After the last whole record, once all entries were read.
    """

    __slots__ = ("_clock", "_recent", "_summary", "end", "file")

    def __init__(self, file: LogFile, start: FilePosition, recent: bytes, clock: Clock, summary: Summary) -> None:
        self.file = file
        self.end = start
        self._recent = recent
        self._clock = clock
        self._summary = summary

    def entries(self, lines: Lines, report: Callable[[], None]) -> Iterator[LogEntry]:
        """Yield the records that a source knows, in order, from the position of the lines."""
        form, fingerprint, recent = self.file.form, self.file.fingerprint, self._recent
        offset, line = self.end.offset, self.end.line
        marks = (*form.marks, *(_WORDS if form.state_marks is None else _MARKS))
        has_state = _state_search(form)
        for number, piece in enumerate(form.split(lines), start=1):
            raw = piece.raw
            start = offset, line, recent
            offset += piece.size
            line += piece.lines
            end = raw if piece.end is None else piece.end
            recent = end[-TAIL:] if len(end) >= TAIL else (recent + end)[-TAIL:]
            self._summary.lines += piece.lines
            if piece.is_other:
                self._summary.outcomes["unmatched"] += 1
            if piece.is_torn or not form.is_whole(raw) or _contains(raw, marks) or has_state(raw):
                read = self._read(piece, start[1] + 1)
                if read is not None:
                    begin = FilePosition(fingerprint, *start[:2], digest(start[2]))
                    yield LogEntry(read, begin, FilePosition(fingerprint, offset, line, digest(recent)))
            if number % REPORT_EVERY == 0:
                report()
        self.end = FilePosition(fingerprint, offset, line, digest(recent))

    def _read(self, piece: Piece, line: int) -> Entry | None:
        record = None if piece.is_torn else self._record(piece.raw)
        if record is None:
            is_whole = piece.size <= LONGEST
            rejected = self._summary.malformed if is_whole else self._summary.oversize
            rejected.add(f"{self.file.path.name}:{line}")
            record = self._record(self.file.form.salvage(piece.raw) if is_whole else b"")
        if record is None:
            return None
        entry = next((entry for source in SOURCES if (entry := source.read(record)) is not None), None)
        is_doubtful = piece.is_doubtful or record.is_doubtful
        # A line of auditctl's own policy proves itself.
        return ForgedRecord(record) if entry and is_doubtful and not isinstance(entry, OwnRead) else entry

    def _record(self, raw: bytes) -> Record | None:
        if not raw:
            return None
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode(errors="replace")
            self._summary.replaced += 1
        try:
            return self.file.form.parse(clean(text), self._clock)
        except Malformed:
            return None
