"""The folder for what is too large for the memory of an engine. It goes with the process, or with the next one.

Its process holds a lock on it, which the system releases when the process ends, however that happens: so another
process of the same user knows which folders nobody needs any more. Numbers of processes would not do, as containers
that share a folder have numbers of their own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "auditctl-duckdb-"


class SpillFolder:
    """A new folder that only its user can open, in the system's folder for temporary files.

    Those that processes of the same user left when they were killed are removed first.

    Attributes:
        path: The folder.
    """

    def __init__(self) -> None:
        remove_abandoned()
        self.path, lock = _create()
        self._lock: int | None = lock

    def close(self) -> None:
        """Remove the folder; may be called again."""
        lock, self._lock = self._lock, None
        if lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(lock)


def remove_abandoned() -> None:
    """Remove the folders of processes that ended; leave those of other users, and whatever else has such a name."""
    with suppress(OSError):
        for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with suppress(OSError), _opened(path) as folder:
                if os.fstat(folder).st_uid == os.geteuid():
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)


def _create() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Before it is locked, another process may take it for abandoned.
        with suppress(FileNotFoundError):
            folder = _open(path)
            fcntl.flock(folder, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(folder), path.lstat()):
                    return path, folder
            os.close(folder)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    folder = _open(path)
    try:
        yield folder
    finally:
        os.close(folder)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
