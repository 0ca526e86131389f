"""What every place that keeps the files of an archive does: a folder of this machine, or an object store.

Decides when a file is there: whole, under its name, for good. Never overwrites one.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any

from auditctl.errors import OutputError

CHUNK = 1 << 20
"""How many bytes are read at a time."""


_LARGEST = 64 << 20
"""How many bytes are read at once at most: no manifest has nearly as many."""


class Files(ABC):
    """The files of one archive; paths are within it, with slashes."""

    name: str
    """The archive, as it was named."""

    filesystem: Any = None
    """The filesystem of fsspec by which engines read what `location` says; None for files of this machine."""

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
    def replace(self, source: str, target: str) -> None:
        """Give a small file the name of another one, which has the one content or the other at each moment.

        Raises:
            OutputError: It cannot be written; it may be done again then.
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
        """Return a small file, or the start of a large one. Raises OutputError, also if it does not exist."""
        with self.open(path) as file, failures(self.shown(path), "read"):
            return file.read(_LARGEST)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, in pieces. Raises OutputError, also if it does not exist."""
        with self.open(path) as file, failures(self.shown(path), "read"):
            while chunk := file.read(CHUNK):
                yield chunk

    def shown(self, path: str) -> str:
        """Return what messages call a file."""
        return f"{self.name.rstrip('/')}/{path}"


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
