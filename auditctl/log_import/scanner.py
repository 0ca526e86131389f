"""The records of one file that tell of reads.

Decides which records are looked into: those whose bytes hold the mark of a source. Counts what cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from auditctl.log_import.files import TAIL, LogFile, digest
from auditctl.log_import.formats.line_format import Lines, Piece
from auditctl.log_import.pairing import Place
from auditctl.log_import.records import Clock, Malformed, Record, clean
from auditctl.log_import.report import Summary
from auditctl.log_import.sources import SOURCES
from auditctl.log_import.sources.source import Forged, OwnRead, Read

REPORTED_EVERY = 10_000
"""How many records are read between two reports."""

_MARKS = tuple(source.mark.encode() for source in SOURCES)


@dataclass(frozen=True, slots=True)
class Found:
    """A record that tells of a read.

    Attributes:
        entry: What it says.
        before: Where it begins.
        after: Where the next one begins.
    """

    entry: Read | OwnRead | Forged
    before: Place
    after: Place


class Scan:
    """One pass over a file.

    Attributes:
        file: The file.
        end: Behind the last whole record, once all are taken.
    """

    __slots__ = ("_clock", "_recent", "_summary", "end", "file")

    def __init__(self, file: LogFile, start: Place, recent: bytes, clock: Clock, summary: Summary) -> None:
        self.file = file
        self.end = start
        self._recent = recent
        self._clock = clock
        self._summary = summary

    def found(self, lines: Lines, report: Callable[[], None]) -> Iterator[Found]:
        """Yield what tells of reads, in order, from where the lines stand."""
        form, fingerprint, recent = self.file.form, self.file.fingerprint, self._recent
        position, line = self.end.position, self.end.line
        for number, piece in enumerate(form.split(lines), start=1):
            raw = piece.raw
            start = position, line, recent
            position += piece.size
            line += piece.lines
            recent = raw[-TAIL:] if len(raw) >= TAIL else (recent + raw)[-TAIL:]
            self._summary.lines += piece.lines
            if piece.is_torn or not form.is_whole(raw) or any(mark in raw for mark in _MARKS):
                entry = self._entry(piece, start[1] + 1)
                if entry is not None:
                    before = Place(fingerprint, *start[:2], digest(start[2]))
                    yield Found(entry, before, Place(fingerprint, position, line, digest(recent)))
            if number % REPORTED_EVERY == 0:
                report()
        self.end = Place(fingerprint, position, line, digest(recent))

    def _entry(self, piece: Piece, line: int) -> Read | OwnRead | Forged | None:
        record = None if piece.is_torn else self._record(piece.raw)
        if record is None:
            self._summary.add_malformed(f"{self.file.path.name}:{line}")
            record = self._record(self.file.form.salvage(piece.raw) if len(piece.raw) == piece.size else b"")
        if record is None:
            return None
        source = next((source for source in SOURCES if record.message.startswith(source.mark)), None)
        return None if source is None else source.read(record)

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
