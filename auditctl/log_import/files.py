"""The files of the server's log: which they are, in which order, and how far each was read.

Decides that a file is known by its first line, so that it stays the same when it is renamed or compressed. Reads files,
never the database.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from auditctl.errors import UsageError
from auditctl.log_import.formats import FORMATS, format_of
from auditctl.log_import.formats.line_format import LineFormat, read_line
from auditctl.log_import.pairing import Place

TAIL = 256
"""How many bytes before a position tell that the file is still the one that was read."""

_SHORT = 64
"""How many bytes a line has at least whose format is known."""

_GZIP = b"\x1f\x8b"
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
_KNOWN = ", ".join(form.name for form in FORMATS)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file of the server's log.

    Attributes:
        path: Where it is.
        form: Its format.
        fingerprint: SHA-256 of its first line.
        begins: Its first line's time as written, by which files are ordered.
        size: Its size on disk when it was looked at.
        is_compressed: Whether it is compressed.
    """

    path: Path
    form: LineFormat
    fingerprint: str
    begins: str
    size: int
    is_compressed: bool


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def find(paths: Sequence[Path]) -> list[LogFile]:
    """Return the files that paths mean, each once: by format, then by the time of their first line.

    In a folder, what is no log of a known format is left out. A file without a whole line is left out.

    Raises:
        UsageError: A path does not exist, cannot be read, or is no log; or no folder holds one.
    """
    found: dict[str, LogFile] = {}
    for path in paths:
        with _readable(path):
            is_folder = path.is_dir()
            inside = sorted(path.iterdir()) if is_folder else [path]
        looked = [_look(each, is_required=not is_folder) for each in inside if not is_folder or each.is_file()]
        if is_folder and not any(isinstance(file, LogFile) or file is Unbegun for file in looked):
            raise _no_log(path, "holds no log")
        for file in looked:
            if isinstance(file, LogFile) and _comes_first(file, found.get(file.fingerprint)):
                found[file.fingerprint] = file
    return sorted(found.values(), key=lambda file: (FORMATS.index(file.form), file.begins, file.path))


def _comes_first(file: LogFile, other: LogFile | None) -> bool:
    """Whether a file is taken rather than its copy: the plain one, which may still grow."""
    return other is None or (other.is_compressed and not file.is_compressed)


@contextmanager
def opened(file: LogFile) -> Iterator[IO[bytes]]:
    """Open the file, uncompressed.

    Raises:
        FileNotFoundError: It is gone since it was found.
    """
    with _open(file.path, is_compressed=file.is_compressed) as stream:
        yield stream


def continued(stream: IO[bytes], place: Place) -> bytes | None:
    """Move to a place; return the bytes before it if they are those that were read there, else move to the start."""
    length = min(TAIL, place.position)
    try:
        stream.seek(place.position - length)
        before = stream.read(length)
    except _BROKEN:
        before = b""
    if len(before) == length and digest(before) == place.tail:
        return before
    stream.seek(0)
    return None


def has_more(stream: IO[bytes], position: int) -> bool:
    """Whether there is something behind a position: a record that is not complete."""
    try:
        stream.seek(position)
        return stream.read(1) != b""
    except _BROKEN:
        return True


class Unbroken:
    """Lines of a compressed file; one that breaks off ends there, like one that is still being written."""

    __slots__ = ("_stream",)

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line; nothing where the file is broken."""
        try:
            return self._stream.readline(size)
        except _BROKEN:
            return b""


class Unbegun:
    """Stands for a file without a whole line, such as one that was just begun."""


def _no_log(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path} {what} of the server in a format that is known: {_KNOWN}",
        hint="Set log_destination = 'jsonlog' (from PostgreSQL 15 on) or 'csvlog', and logging_collector = on.",
    )


def _look(path: Path, *, is_required: bool) -> LogFile | type[Unbegun] | None:
    """Return the file; `Unbegun` where it has no whole line yet; None where it is no log or gone, and may be."""
    if not is_required and not path.exists():
        return None
    with _readable(path):
        size = path.stat().st_size
        with path.open("rb") as raw:
            is_compressed = raw.read(len(_GZIP)) == _GZIP
        with _open(path, is_compressed=is_compressed) as stream:
            first, _, is_complete = read_line(Unbroken(stream))
    form = format_of(first)
    if not is_complete and (form is not None or len(first) < _SHORT):
        return Unbegun
    if form is None and is_required:
        raise _no_log(path, "is no log")
    if form is None:
        return None
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
            else "Name the files of the server's log, or the folder that `show log_directory` tells."
        )
        raise UsageError(f"cannot read {error.filename or path}: {error.strerror}", hint=hint) from error
