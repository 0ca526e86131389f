"""Splits and parses records of text: the log_line_prefix, a severity, the message, and lines such as DETAIL below.

The server puts a tab before each further line of a value, so a value cannot pass for a record. Names in the prefix can:
see `Prefix`. What may have been written through one is marked as doubtful.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from auditctl.log_import.formats.line_format import LONGEST, Lines, Piece, read_line, shortened
from auditctl.log_import.prefix import Prefix
from auditctl.log_import.records import Clock, Malformed, Record
from auditctl.log_import.severities import PARTS, SEVERITIES

_NOT_BARE = ("DETAIL", "HINT", "CONTEXT", "QUERY", "STATEMENT")
_VERBOSE = re.compile(r"([0-9A-Z]{5}): ")
_CURSOR = re.compile(r" at character [0-9]+$")
_UNKNOWN = "[unknown]"


@dataclass(slots=True)
class _Open:
    """A record whose last line has not been read yet, and the lines after it that are not part of a record."""

    process: bytes
    is_doubtful: bool
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    lines: int = 0
    others: list[Piece] = field(default_factory=list)

    def add(self, line: bytes, size: int) -> None:
        self.size += size
        self.lines += 1
        self.parts.append(line)
        if self.size > LONGEST:
            self.parts = [shortened(self.parts[0], line)]

    def pieces(self) -> Iterator[Piece]:
        yield Piece(
            b"".join(self.parts), self.size, self.lines, is_torn=self.size > LONGEST, is_doubtful=self.is_doubtful
        )  # fmt: skip
        yield from self.others


def split(lines: Lines, prefix: Prefix) -> Iterator[Piece]:
    """Yield the records of a file, and lines of others in between."""
    record: _Open | None = None
    doubt = 0  # how many of the next bytes a name may have written
    is_start = True
    while True:
        line, size, is_complete = read_line(lines)
        if not is_complete:
            break
        match = None if line.startswith(b"\t") else prefix.first.match(line)
        is_part = match is not None and match["word"].decode() in PARTS
        if match and not is_part:
            if record:
                yield from record.pieces()
            record = _Open(_process(match), is_doubtful=doubt > 0)
            record.add(line, size)
        elif record and not record.others and _continues(record, line, match):
            record.add(line, size)
        else:
            if prefix.head.match(line) and not (is_start and is_part):
                doubt = prefix.reach + size
            yield from _add_other(record, Piece(line, size, is_other=True), prefix)
            record = None if record and sum(other.size for other in record.others) > prefix.reach else record
        is_start = is_start and record is None
        doubt = max(0, doubt - size)
    if record and not _lacks_end(record):
        yield from record.pieces()


def _lacks_end(record: _Open) -> bool:
    """Whether the last record of a file, a statement of pgaudit in quotes, goes on in lines that are still to come."""
    raw = b"".join(record.parts)
    return b"AUDIT: " in record.parts[0] and raw.count(b'"') % 2 == 1


def _process(match: re.Match[bytes]) -> bytes:
    fields = match.groupdict()
    return fields.get("process") or fields.get("session") or b""


def _continues(record: _Open, line: bytes, match: re.Match[bytes] | None) -> bool:
    """Whether a line belongs to the record before it: a further line of a value, or a part such as DETAIL."""
    return _process(match) == record.process if match else line.startswith(b"\t") or not line.strip()


def _add_other(record: _Open | None, other: Piece, prefix: Prefix) -> Iterator[Piece]:
    """Let a line that is not a record wait after the record before it, as long as it may be the rest of its line.

    A record whose line a name has ended leaves the rest of it, with the word of the severity, in one of the next lines.
    """
    if record is None:
        yield other
        return
    record.others.append(other)
    record.is_doubtful |= prefix.reach > 0 and prefix.word.search(other.raw) is not None
    if sum(each.size for each in record.others) > prefix.reach:
        yield from record.pieces()


def best(prefixes: Sequence[Prefix], texts: Sequence[bytes]) -> Prefix | None:
    """Return the prefix that most texts begin with, the first of several; None if none begins with one."""
    counts = {prefix: sum(prefix.first.match(text) is not None for text in texts) for prefix in prefixes}
    found = max(counts, key=lambda prefix: counts[prefix], default=None)
    return found if found is not None and counts[found] else None


def parse(text: str, clock: Clock, prefix: Prefix, *, at: datetime | None = None, state: str = "") -> Record:
    """Return the record of a piece.

    Args:
        text: The piece.
        clock: Reads its time.
        prefix: What its lines begin with.
        at: When it was written, where the prefix has no time.
        state: SQLSTATE, where the prefix has none.

    Raises:
        Malformed: It is not a record.
    """
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    match, is_ambiguous = prefix.match(lines[0])
    if match is None:
        raise Malformed("not a line with this prefix")
    fields = {name: (value or "").strip() for name, value in match.groupdict().items()}
    severity = SEVERITIES.get(fields["word"], "")
    message, parts = _message(lines, match.end(), prefix)
    state = state or fields.get("state", "")
    if (verbose := _VERBOSE.match(message)) and ("LOCATION" in parts or verbose[1] == state):
        message, state = message[verbose.end() :], verbose[1]
    return Record(
        at=_time(fields, clock, at),
        login=_known(fields.get("login", "")),
        database=_known(fields.get("database", "")),
        host=fields.get("host", ""),
        port=fields.get("port", ""),
        session=fields.get("session", ""),
        number=0,
        command=fields.get("command", ""),
        transaction=fields.get("transaction", ""),
        xact_id=fields.get("xact_id", ""),
        state=state,
        message=_CURSOR.sub("", message) if severity == "ERROR" else message,
        is_bare=not any(part in parts for part in _NOT_BARE),
        file=parts.get("LOCATION", "").rpartition(", ")[2].partition(":")[0],
        application=fields.get("application", ""),
        severity=severity,
        statement=parts.get("STATEMENT", ""),
        process=fields.get("process", "") or "-",
        line=fields.get("number", ""),
        is_doubtful=is_ambiguous,
    )


def _message(lines: list[str], start: int, prefix: Prefix) -> tuple[str, dict[str, str]]:
    """Return the message and the parts below it, by their names in English."""
    values = {"": [lines[0][start:]]}
    name = ""
    for line in lines[1:]:
        match = None if line.startswith("\t") else prefix.readings[0].match(line)
        if match and (part := PARTS.get(match["word"])):
            name = part
            values.setdefault(name, []).append(line[match.end() :])
        else:
            values[name].append(line.removeprefix("\t"))
    message = "\n".join(values.pop("")).rstrip("\n")
    return message, {part: "\n".join(texts) for part, texts in values.items()}


def _time(fields: dict[str, str], clock: Clock, at: datetime | None) -> datetime:
    if epoch := fields.get("epoch"):
        return datetime.fromtimestamp(float(epoch), UTC)
    if time := fields.get("time"):
        session, started = fields.get("session"), fields.get("started")
        return clock.read(time, session, started) if session and started else clock.read_alone(time)
    if at is None:
        raise Malformed("no time")
    return at


def _known(name: str) -> str:
    return "" if name == _UNKNOWN else name
