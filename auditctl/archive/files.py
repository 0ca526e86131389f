"""Where the files of an archive are kept: a folder, or any place of fsspec.

Decides when a file is there: whole, under its name, on the disk. Never overwrites one.
"""

from __future__ import annotations

import errno
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from auditctl.errors import OutputError, UsageError

CHUNK = 1 << 20
"""How many bytes are read at a time."""

_HIDDEN = ".incomplete-"


class Files(ABC):
    """The files of one archive; paths are within it, with slashes."""

    name: str
    """The archive, as it was named."""

    @abstractmethod
    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder, sorted; none if it does not exist. Raises OutputError."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names of the complete files in a folder, sorted; none if it does not exist. Raises OutputError."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; None if it does not exist. Raises OutputError."""

    @abstractmethod
    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file to read it. Raises OutputError, also if it does not exist."""

    @abstractmethod
    def write(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open a new file, which appears when the block ends without an error, and then stays after a crash.

        Raises:
            OutputError: It exists already, or cannot be written, such as on a full disk; nothing is left of it.
        """

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file, and its folder if that is empty now; one that does not exist is removed already.

        Raises:
            OutputError: It cannot be removed.
        """

    @abstractmethod
    def clean(self, folder: str) -> None:
        """Remove what writers that were killed left in a folder, and no engine sees. Raises OutputError."""

    @abstractmethod
    def location(self, path: str) -> str:
        """Return what engines call a file."""

    def read(self, path: str) -> bytes:
        """Return the content of a small file. Raises OutputError, also if it does not exist."""
        with self.open(path) as file:
            return file.read()

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, in pieces. Raises OutputError, also if it does not exist."""
        with self.open(path) as file, failures(self.shown(path), "read"):
            while chunk := file.read(CHUNK):
                yield chunk

    def shown(self, path: str) -> str:
        """Return what messages call a file."""
        return f"{self.name.rstrip('/')}/{path}"


class Folder(Files):
    """A folder of this machine, or of a file server.

    Args:
        path: The folder, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._root = path

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder."""
        return self._listed(folder, is_folder=True)

    def names(self, folder: str) -> list[str]:
        """Return the names of the complete files in a folder."""
        return [name for name in self._listed(folder, is_folder=False) if not name.startswith(_HIDDEN)]

    def size(self, path: str) -> int | None:
        """Return the size of a file."""
        with failures(self.shown(path), "read"):
            try:
                return self._path(path).stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file to read it."""
        with failures(self.shown(path), "read"):
            file = self._path(path).open("rb")
        with file:
            yield file

    @contextmanager
    def write(self, path: str) -> Iterator[IO[bytes]]:
        """Open a new file."""
        final = self._path(path)
        hidden = final.with_name(f"{_HIDDEN}{secrets.token_hex(4)}-{final.name}")
        with failures(self.shown(path), "write"):
            try:
                final.parent.mkdir(parents=True, exist_ok=True)
                with hidden.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                # A link, unlike a rename, does not replace a file.
                os.link(hidden, final)
            finally:
                with suppress(OSError):
                    hidden.unlink()
            _sync_folders(final.parent, self._root)

    def remove(self, path: str) -> None:
        """Remove a file."""
        file = self._path(path)
        with failures(self.shown(path), "remove"):
            file.unlink(missing_ok=True)
            with suppress(OSError):
                file.parent.rmdir()

    def clean(self, folder: str) -> None:
        """Remove what writers that were killed left."""
        for name in self._listed(folder, is_folder=False):
            if name.startswith(_HIDDEN):
                with failures(self.shown(f"{folder}/{name}"), "remove"):
                    (self._path(folder) / name).unlink(missing_ok=True)

    def location(self, path: str) -> str:
        """Return the path of a file."""
        return str(self._path(path))

    def _path(self, path: str) -> Path:
        return self._root.joinpath(*PurePosixPath(path).parts)

    def _listed(self, folder: str, *, is_folder: bool) -> list[str]:
        with failures(self.shown(folder), "read"):
            try:
                return sorted(entry.name for entry in os.scandir(self._path(folder)) if entry.is_dir() == is_folder)
            except FileNotFoundError:
                return []


@contextmanager
def failures(name: str, verb: str) -> Iterator[None]:
    """Raise OutputError, with the name of a file, where the system fails to read, write or remove it."""
    try:
        yield
    except FileExistsError:
        raise OutputError(f"{name} exists already", hint="Nothing in an archive is overwritten.") from None
    except OSError as error:
        hint = "Free some space, and run it again." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise OutputError(f"cannot {verb} {name}: {error.strerror or error}", hint=hint) from error


def _sync_folders(folder: Path, root: Path) -> None:
    """Have the names of new files and folders on the disk."""
    for one in (folder, *folder.parents):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if one in (root, root.parent):
            break


def at(text: str) -> Files:
    """Return the archive at a path.

    Raises:
        UsageError: It is not the path of a folder.
    """
    if not text:
        raise UsageError("the path of the archive is empty", hint="Name a folder.")
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{text} is not a folder")
    return Folder(path.absolute())
