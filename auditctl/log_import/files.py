"""Finds and opens the files of the server's log.

A file is identified by its first line, so that it stays the same when it is renamed or compressed. Reads files, never
the database.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, cast

from auditctl.errors import UsageError
from auditctl.log_import.formats import FORMATS, format_of
from auditctl.log_import.formats.line_format import Detected, LineFormat, Lines, LogSettings, read_line
from auditctl.log_import.records import Clock, Malformed, UnknownZone

TAIL = 256
"""How many bytes before a position identify the file as the one that was read."""

_SHORT = 64
"""Minimum number of bytes of a line from which its format can be told."""

_GZIP = b"\x1f\x8b"
_TRUNCATED = (EOFError, zlib.error, gzip.BadGzipFile)
_FORMAT_NAMES = ", ".join(kind.name for kind in FORMATS)
_HEAD_BYTES = 1 << 16
_HEAD_LINES = 500
_LOOKS_LIKE_LOG = re.compile(rb"[^\t\n{][^\n]{0,400}?(?:LOG|ERROR|FATAL|WARNING|STATEMENT|DETAIL|HINT):  ")


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file of the server's log.

    Attributes:
        path: Its path.
        form: Its format.
        fingerprint: SHA-256 of its first line.
        begins: The time in its first line, as text, by which files are ordered.
        size: Its size on disk.
        is_compressed: Whether it is compressed by gzip.
    """

    path: Path
    form: LineFormat
    fingerprint: str
    begins: str
    size: int
    is_compressed: bool


@dataclass(frozen=True, slots=True)
class FilePosition:
    """Where in a file a record begins.

    Attributes:
        fingerprint: The file.
        offset: Bytes before it.
        line: Lines before it.
        tail: SHA-256 of the bytes before it, as auditctl.log_file has it.
    """

    fingerprint: str
    offset: int
    line: int
    tail: str


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def find(paths: Sequence[Path], settings: LogSettings) -> tuple[list[LogFile], dict[str, str]]:
    """Return the files at the paths, each once: by format, then by the time of their first line.

    Left out are files without a whole line, and in a folder those that are not a log in a known format. Also returned
    are the names of other files that were left out, and why.

    Raises:
        UsageError: A path does not exist, cannot be read or is not a log, or a folder contains none; the time zone of a
            file is not known.
    """
    files: dict[str, LogFile] = {}
    left_out: dict[str, str] = {}
    for path in paths:
        for each, file in _candidates(path, settings).items():
            if isinstance(file, LogFile) and _is_better(file, files.get(file.fingerprint)):
                files[file.fingerprint] = file
            elif file in (Skip.OTHER_PREFIX, Skip.SAME_LINES):
                left_out[each.name] = str(file.value)
    order = [kind.name for kind in FORMATS]
    return sorted(files.values(), key=lambda file: (order.index(file.form.name), file.begins, file.path)), left_out


def _candidates(path: Path, settings: LogSettings) -> dict[Path, LogFile | Skip]:
    """Return the file at a path, or those of a folder, or why they are left out."""
    with _readable(path):
        is_folder = path.is_dir()
        inside = sorted(each for each in path.iterdir() if each.is_file()) if is_folder else [path]
    found = {each: _look(each, settings, is_required=not is_folder) for each in inside}
    if all(file in (Skip.NOT_A_LOG, Skip.OTHER_PREFIX) for file in found.values()):
        other = next((each for each, file in found.items() if file is Skip.OTHER_PREFIX), None)
        raise _no_log(path, "contains no log") if other is None else _other_prefix(other, settings)
    return found


def _is_better(file: LogFile, other: LogFile | None) -> bool:
    """Whether a file replaces its copy: the uncompressed one, which may still grow, does."""
    return other is None or (other.is_compressed and not file.is_compressed)


@contextmanager
def opened(file: LogFile) -> Iterator[IO[bytes]]:
    """Open the file, uncompressed.

    Raises:
        FileNotFoundError: It is gone by now.
    """
    with _open(file.path, is_compressed=file.is_compressed) as stream:
        yield stream


def continued(stream: IO[bytes], position: FilePosition) -> bytes | None:
    """Move to a position and return the bytes before it; if they are not those read then, move to the start."""
    length = min(TAIL, position.offset)
    try:
        stream.seek(position.offset - length)
        before = stream.read(length)
    except _TRUNCATED:
        before = b""
    if len(before) == length and digest(before) == position.tail:
        return before
    stream.seek(0)
    return None


def has_more(stream: IO[bytes], position: int) -> bool:
    """Whether anything follows a position: a record that is not complete."""
    try:
        stream.seek(position)
        return stream.read(1) != b""
    except _TRUNCATED:
        return True


class TruncatedGzip:
    """Lines of a compressed file, which may be truncated: it ends there, like one that is still being written."""

    __slots__ = ("_stream",)

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line; nothing if the file is truncated there."""
        try:
            return self._stream.readline(size)
        except _TRUNCATED:
            return b""


class Skip(Enum):
    """Why a file is left out."""

    EMPTY_FILE = "It has no whole line yet."
    OTHER_PREFIX = "its lines do not begin with log_line_prefix; name theirs with --prefix"
    SAME_LINES = "the file in csvlog or jsonlog beside it has the same lines"
    NOT_A_LOG = "It is not a log in a known format, or it is gone."


def _no_log(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path} {what} of the server in a known format: {_FORMAT_NAMES}",
        hint="Set log_destination = 'jsonlog' (from PostgreSQL 15 on) or 'csvlog', and logging_collector = on.",
    )


def _other_prefix(path: Path, settings: LogSettings) -> UsageError:
    prefix = settings.prefixes[0].text if settings.prefixes else ""
    return UsageError(
        f"the lines of {path} do not begin with log_line_prefix = '{prefix}'",
        hint="Name the prefix of the server that wrote it: --prefix '%m [%p] %q%u@%d '",
    )


def _look(path: Path, settings: LogSettings, *, is_required: bool) -> LogFile | Skip:
    """Return the file, or why it is left out; a required one that is not a log is an error."""
    if not is_required and not path.exists():
        return Skip.NOT_A_LOG
    with _readable(path):
        size = path.stat().st_size
        with path.open("rb") as raw:
            is_compressed = raw.read(len(_GZIP)) == _GZIP
        with _open(path, is_compressed=is_compressed) as stream:
            head, is_complete = _head(TruncatedGzip(stream))
    found = format_of(head, settings)
    if not is_complete and (found is not None or len(head[0]) < _SHORT):
        return Skip.EMPTY_FILE
    if found is None and any(_LOOKS_LIKE_LOG.match(line) for line in head):
        return Skip.OTHER_PREFIX
    if found is None and is_required:
        raise _no_log(path, "is not a log")
    if found is None:
        return Skip.NOT_A_LOG
    if found.form.prefix is not None:
        _require_zone(path, found, settings)
        if _has_structured_twin(path):
            return Skip.SAME_LINES
    begins = found.first.partition(b'"timestamp":"')[2] or found.first
    return LogFile(path, found.form, digest(found.first), begins[:23].decode("ascii", "replace"), size, is_compressed)


def _head(lines: Lines) -> tuple[list[bytes], bool]:
    """Return the first whole lines, or else what there is of the first; and whether it is whole."""
    first, size, is_complete = read_line(lines)
    head = [first]
    while is_complete and size < _HEAD_BYTES and len(head) < _HEAD_LINES:
        line, more, is_whole = read_line(lines)
        if not is_whole:
            break
        head.append(line)
        size += more
    return head, is_complete


def _require_zone(path: Path, found: Detected, settings: LogSettings) -> None:
    with suppress(Malformed):
        try:
            found.form.parse(found.first.decode(errors="replace"), Clock(settings.zone))
        except UnknownZone as error:
            zone = "unknown" if settings.zone is None else settings.zone.key
            raise UsageError(
                f"{path} has times in {error}, which is not an abbreviation of the time zone of the log, {zone}",
                hint="Name the log_timezone of the server that wrote it: --time-zone Europe/Berlin",
            ) from error


def _has_structured_twin(path: Path) -> bool:
    """Whether the server wrote the same lines into a structured file beside this one."""
    stems = {str(path), str(path.with_suffix("") if path.suffix == ".log" else path)}
    return any(Path(stem + ending).exists() for stem in stems for ending in (".json", ".csv"))


def _open(path: Path, *, is_compressed: bool) -> IO[bytes]:
    if is_compressed:
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        hint = (
            "Run this as a login of the operating system that may read the log, such as postgres; see log_file_mode."
            if isinstance(error, PermissionError)
            else "Name the files of the server's log, or the folder that `show log_directory` prints."
        )
        raise UsageError(f"cannot read {error.filename or path}: {error.strerror}", hint=hint) from error
