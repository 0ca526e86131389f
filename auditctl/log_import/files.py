"""Finds and opens the files of the server's log.

A file is identified by its first line, so that it stays the same when it is renamed or compressed. Reads files, never
the database.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, cast

from auditctl.errors import UsageError
from auditctl.log_import.formats import FORMATS, format_of
from auditctl.log_import.formats.line_format import LineFormat, read_line

TAIL = 256
"""How many bytes before a position identify the file as the one that was read."""

_SHORT = 64
"""Minimum number of bytes of a line from which its format can be told."""

_GZIP = b"\x1f\x8b"
_TRUNCATED = (EOFError, zlib.error, gzip.BadGzipFile)
_FORMAT_NAMES = ", ".join(form.name for form in FORMATS)


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


def find(paths: Sequence[Path]) -> list[LogFile]:
    """Return the files at the paths, each once: by format, then by the time of their first line.

    Files without a whole line are left out, and in a folder those that are not a log in a known format.

    Raises:
        UsageError: A path does not exist, cannot be read or is not a log, or a folder contains none.
    """
    files: dict[str, LogFile] = {}
    for path in paths:
        with _readable(path):
            is_folder = path.is_dir()
            inside = sorted(path.iterdir()) if is_folder else [path]
        candidates = [_look(each, is_required=not is_folder) for each in inside if not is_folder or each.is_file()]
        if is_folder and not any(isinstance(file, LogFile) or file is Skip.EMPTY_FILE for file in candidates):
            raise _no_log(path, "contains no log")
        for file in candidates:
            if isinstance(file, LogFile) and _is_better(file, files.get(file.fingerprint)):
                files[file.fingerprint] = file
    return sorted(files.values(), key=lambda file: (FORMATS.index(file.form), file.begins, file.path))


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
    NOT_A_LOG = "It is not a log in a known format, or it is gone."


def _no_log(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path} {what} of the server in a known format: {_FORMAT_NAMES}",
        hint="Set log_destination = 'jsonlog' (from PostgreSQL 15 on) or 'csvlog', and logging_collector = on.",
    )


def _look(path: Path, *, is_required: bool) -> LogFile | Skip:
    """Return the file, or why it is left out; a required one that is not a log is an error."""
    if not is_required and not path.exists():
        return Skip.NOT_A_LOG
    with _readable(path):
        size = path.stat().st_size
        with path.open("rb") as raw:
            is_compressed = raw.read(len(_GZIP)) == _GZIP
        with _open(path, is_compressed=is_compressed) as stream:
            first, _, is_complete = read_line(TruncatedGzip(stream))
    form = format_of(first)
    if not is_complete and (form is not None or len(first) < _SHORT):
        return Skip.EMPTY_FILE
    if form is None and is_required:
        raise _no_log(path, "is not a log")
    if form is None:
        return Skip.NOT_A_LOG
    begins = first.partition(b'"timestamp":"')[2] or first
    return LogFile(path, form, digest(first), begins[:23].decode("ascii", "replace"), size, is_compressed)


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
