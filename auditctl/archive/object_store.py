"""An archive in an object store, by a filesystem of fsspec.

Knows no store by name: what differs between them is a `Store`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from auditctl.archive.file_access import Files
from auditctl.archive.upload import Upload
from auditctl.errors import OutputError, UsageError

_READ_BYTES = 4 << 20
"""How many bytes a read fetches at least."""

# What every engine takes as it is: no character of a pattern, a query or an escape, and no credentials before an @.
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.:=+,~-][A-Za-z0-9_.:=+,~ -]*")


def root(scheme: str, text: str) -> str:
    """Return the bucket and the prefix of a path such as `s3://BUCKET/PREFIX`.

    Raises:
        UsageError: It is not such a path; one with credentials is none.
    """
    segments = text.removeprefix(f"{scheme}://").rstrip("/").split("/")
    if not all(map(_SEGMENT.fullmatch, segments)):
        raise UsageError(
            f"this is not the {scheme}:// path of an archive",
            hint=f"It is {scheme}://BUCKET/PREFIX, of letters, digits and _ . : = + , ~ - alone;"
            " credentials come from the environment.",
        )
    return "/".join(segments)


class Store(ABC):
    """A kind of object stores.

    Attributes:
        scheme: The scheme of its paths, such as `s3`.
        errors: What its libraries raise beside OSError.
    """

    scheme: str
    errors: tuple[type[Exception], ...] = ()

    @abstractmethod
    def filesystem(self) -> Any:
        """Return its filesystem of fsspec, which takes credentials from the environment and keeps no listings.

        Its mode `xb` must refuse to replace an object when the object is complete. Raises UsageError without its
        library.
        """

    @abstractmethod
    def reason(self, error: Exception) -> tuple[str, str]:
        """Return what an error says, without secrets, and what to do about it; both for a message."""

    @abstractmethod
    def has_container(self, error: FileNotFoundError) -> bool:
        """Return whether only an object is missing, and not the bucket that would have it."""

    @abstractmethod
    def abort(self, filesystem: Any, folder: str) -> None:
        """End the unfinished uploads into a folder; what they uploaded is not an object yet, but costs money."""


class ObjectStore(Files):
    """A prefix of an object store; a folder is there as soon as an object is in it.

    Args:
        store: What kind of store it is.
        text: The path: the scheme, the bucket and any prefix.

    Raises:
        UsageError: It is not such a path, or a library is missing.
    """

    def __init__(self, store: Store, text: str) -> None:
        self._root = root(store.scheme, text)
        self._store = store
        self._all_errors: tuple[type[Exception], ...] = (OSError, *store.errors)
        self.name = f"{store.scheme}://{self._root}"
        self.filesystem = store.filesystem()

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder."""
        return self._listed(folder, "directory")

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder: an object is complete, or not there."""
        return self._listed(folder, "file")

    def size(self, path: str) -> int | None:
        """Return the size of a file."""
        with self._failures(path, "read"):
            try:
                about = self.filesystem.info(self._key(path))
            except FileNotFoundError as error:
                if not self._store.has_container(error):
                    raise
                return None
        return int(about["size"]) if about["type"] == "file" else None

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file to read it."""
        with self._failures(path, "read"):
            file = self.filesystem.open(self._key(path), "rb", block_size=_READ_BYTES)
        with file:
            try:
                yield file
            except self._store.errors as error:
                raise self._failure(path, "read", error) from error

    @contextmanager
    def write(self, path: str) -> Iterator[IO[bytes]]:
        """Open a new file; of one that fails or is interrupted no object is left, nor a part of an upload."""
        with self._failures(path, "write"):
            # Spares the upload. Who is first between here and its end is decided by the store.
            if self.size(path) is not None:
                raise FileExistsError
            upload = Upload(self.filesystem, self._key(path), self._all_errors)
            try:
                upload.start()
                yield cast("IO[bytes]", upload)
                upload.finish()
            except BaseException:
                upload.undo()
                raise

    def replace(self, source: str, target: str) -> None:
        """Write the content of an object to another one, and remove it."""
        data = self.read(source)
        with self._failures(target, "write"):
            self.filesystem.pipe_file(self._key(target), data)
        self.remove(source)

    def remove(self, path: str) -> None:
        """Remove a file."""
        with self._failures(path, "remove"):
            try:
                self.filesystem.rm_file(self._key(path))
            except FileNotFoundError as error:
                if not self._store.has_container(error):
                    raise

    def clean(self, folder: str) -> None:
        """End the uploads that writers left that were killed."""
        with self._failures(folder, "clean"):
            self._store.abort(self.filesystem, self._key(folder))

    def location(self, path: str) -> str:
        """Return the address of a file, which engines read through `filesystem`."""
        return f"{self._store.scheme}://{self._key(path)}"

    def _key(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")

    def _listed(self, folder: str, kind: str) -> list[str]:
        start = self._key(folder) + "/"
        with self._failures(folder, "read"):
            try:
                found = self.filesystem.ls(self._key(folder), detail=True, refresh=True)
            except FileNotFoundError as error:
                if not self._store.has_container(error):
                    raise
                return []
        names = (one["name"].lstrip("/").removeprefix(start) for one in found if one["type"] == kind)
        # A store may have an object for the folder itself.
        return sorted(name for name in names if name and "/" not in name)

    @contextmanager
    def _failures(self, path: str, verb: str) -> Iterator[None]:
        try:
            yield
        except self._all_errors as error:
            raise self._failure(path, verb, error) from error

    def _failure(self, path: str, verb: str, error: Exception) -> OutputError:
        if isinstance(error, FileExistsError):
            return OutputError(f"{self.shown(path)} exists already", hint="Nothing in an archive is overwritten.")
        reason, hint = self._store.reason(error)
        return OutputError(f"cannot {verb} {self.shown(path)}: {reason}", hint=hint)
