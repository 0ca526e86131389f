"""Reads an exported file, which may be compressed by gzip, in constant memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from auditctl.errors import UsageError

_CHUNK = 1_048_576
_GZIP = b"\x1f\x8b"

Report = Callable[[int], None]
"""Takes how many bytes were read so far."""


@dataclass(frozen=True, slots=True)
class File:
    """What is in an exported file.

    Attributes:
        path: Where it is.
        size: The number of bytes, uncompressed.
        sha256: Their SHA-256, in hexadecimal digits.
        damage: What is wrong with the compression; empty for nothing.
    """

    path: Path
    size: int
    sha256: str
    damage: str = ""


def examine(path: Path, report: Report | None = None) -> File:
    """Read a file, which may be compressed by gzip.

    Raises:
        UsageError: It cannot be read.
    """
    sha256 = hashlib.sha256()
    size, damage = 0, ""
    try:
        for chunk in chunks(path):
            sha256.update(chunk)
            size += len(chunk)
            if report is not None:
                report(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        damage = str(error)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="Name the file that was exported.") from error
    return File(path, size, sha256.hexdigest(), damage)


@contextmanager
def text_lines(file: IO[bytes]) -> Iterator[Iterator[str]]:
    """Read the lines of an open file, each with its line feed; bytes that are not UTF-8 become surrogates."""
    with io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="\n") as text:
        yield text


@contextmanager
def lines_of(path: Path) -> Iterator[Iterator[str]]:
    """Read the lines of a file, which may be compressed by gzip; `examine` has read it before."""
    with _opened(path) as file, text_lines(file) as lines:
        yield lines


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    return cast("IO[bytes]", gzip.open(path, "rb")) if is_compressed else path.open("rb")


def chunks(path: Path) -> Iterator[bytes]:
    """Yield what is in a file, which may be compressed by gzip, piece by piece."""
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
