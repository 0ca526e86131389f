"""An upload of one new object, of which nothing is left unless it is finished."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")

_BLOCK = 16 << 20
"""How many bytes are sent at a time; stores take 10,000 such parts of an object."""


class Upload(io.RawIOBase):
    """Writes an object by a filesystem of fsspec.

    A thread of its own makes every call. If the caller is interrupted, such as by Ctrl-C, the call goes on, and `undo`
    comes after it: it knows what there is to be removed.

    Args:
        filesystem: The filesystem.
        key: The object, as the filesystem names it.
        errors: What it raises if it fails.
    """

    def __init__(self, filesystem: Any, key: str, errors: tuple[type[Exception], ...]) -> None:
        self._filesystem, self._key, self._errors = filesystem, key, errors
        self._calls = ThreadPoolExecutor(max_workers=1, thread_name_prefix="auditctl-upload")
        self._file: Any = None
        self._has_appeared = False

    def start(self) -> None:
        """Begin the upload."""
        self._run(self._open)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Add bytes to the object."""
        return self._run(lambda: int(self._file.write(data)))

    def finish(self) -> None:
        """Make the object appear. Raises FileExistsError if there is one already."""
        self._run(self._close)
        self._calls.shutdown(wait=False)

    def undo(self) -> None:
        """Remove what was uploaded, and the object if it has appeared."""
        with suppress(*self._errors):
            self._run(self._remove)
        self._calls.shutdown(wait=False)

    def _run(self, call: Callable[[], _T]) -> _T:
        return self._calls.submit(call).result()

    def _open(self) -> None:
        self._file = self._filesystem.open(self._key, "xb", block_size=_BLOCK)

    def _close(self) -> None:
        if self._file.tell() == 0:
            # fsspec's files replace an object by an empty one.
            self._file.closed = True
            self._filesystem.pipe_file(self._key, b"", mode="create")
        else:
            self._file.close()
        self._has_appeared = True

    def _remove(self) -> None:
        if self._has_appeared:
            self._filesystem.rm_file(self._key)
        elif self._file is not None:
            # Closed, because fsspec finishes a file that is not when Python removes it from memory.
            self._file.closed = True
            self._file.discard()
