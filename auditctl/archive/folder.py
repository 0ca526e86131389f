"""An archive in a folder of this machine, or of a file server."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from auditctl.archive.file_access import Files, failures

_HIDDEN = ".incomplete-"


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
                about = self._path(path).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return about.st_size if stat.S_ISREG(about.st_mode) else None

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file to read it."""
        with failures(self.shown(path), "read"):
            file = open(self._path(path), "rb", opener=_open)  # noqa: SIM115 - the caller's block closes it
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

    def replace(self, source: str, target: str) -> None:
        """Give a file the name of another one."""
        with failures(self.shown(target), "write"):
            self._path(source).replace(self._path(target))
            _sync_folders(self._path(target).parent, self._root)

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


def _open(path: str, flags: int) -> int:
    """Open a file, but no pipe, which might never end, and no device."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


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
