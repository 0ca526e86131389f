"""Writes data to standard output, or to a file that appears only when it is complete.

Decides when the file is visible under its name. Never overwrites a file without `force`, and leaves no incomplete file
behind; every error says what to do.
"""

from __future__ import annotations

import os
import secrets
import select
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from auditctl import utf8
from auditctl.errors import OutputError, UsageError
from auditctl.utf8 import CHUNK

STANDARD = "-"
"""What names standard output on the command line."""

STANDARD_NAME = "standard output"
"""The name of standard output in messages."""


class Hashed(Protocol):
    """A hash that is being computed."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Add bytes."""


class Sink:
    """An open file descriptor for text in UTF-8; bytes that are not valid UTF-8 are replaced by U+FFFD.

    Attributes:
        name: Its name in messages.
        written: How many bytes were written.
        hashed: What is updated by each byte that is written; None for nothing.
    """

    __slots__ = ("_code", "_descriptor", "_file", "_pending", "_size", "hashed", "name", "written")

    def __init__(
        self, descriptor: int, name: str, code: Callable[[str], str] | None = None, file: Path | None = None
    ) -> None:
        """Write to a descriptor.

        Args:
            descriptor: The open file.
            name: Its name in messages.
            code: What makes text harmless on a terminal; not used elsewhere. None writes it as it is.
            file: Where it is while it is written; None for what cannot be read again.
        """
        self._descriptor = descriptor
        self._file = file
        self._code = code if code is not None and os.isatty(descriptor) else None
        self._pending: list[bytes | memoryview | bytearray] = []
        self._size = 0
        self.name = name
        self.written = 0
        self.hashed: Hashed | None = None

    def write(self, data: bytes | memoryview | bytearray) -> None:
        """Write whole characters, now or with what follows.

        Raises:
            OutputError: It cannot be written, such as on a full disk.
            BrokenPipeError: Nobody reads any more.
        """
        self._pending.append(data)
        self._size += len(data)
        if self._size >= CHUNK:
            self.flush()

    def write_texts(self, texts: Iterable[str]) -> None:
        """Write texts in UTF-8, then everything that is pending; raises as `write` does."""
        for text in texts:
            self.write(text.encode())
        self.flush()

    def flush(self) -> None:
        """Write everything that is pending; raises as `write` does."""
        whole = utf8.repair(b"".join(self._pending))
        data = memoryview(whole if self._code is None else self._code(whole.decode()).encode())
        self._pending.clear()
        self._size = 0
        if self.hashed is not None:
            self.hashed.update(data)
        with _output_errors(self.name):
            while data:
                count = os.write(self._descriptor, data)
                self.written += count
                data = data[count:]

    def read_again(self) -> IO[bytes] | None:
        """Open what was written so far; None for a pipe or a device; raises as `write` does."""
        self.flush()
        return None if self._file is None else self._file.open("rb")

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Put everything that the block writes into a file and onto the disk, or nothing of it; raises as `write` does.

        What a pipe has taken cannot be taken back.
        """
        is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        size = os.fstat(self._descriptor).st_size
        try:
            yield
            self.sync()
        except BaseException:
            self._pending.clear()
            self._size = 0
            if is_file:
                os.ftruncate(self._descriptor, size)
                os.lseek(self._descriptor, size, os.SEEK_SET)
            raise

    def is_abandoned(self, seconds: float) -> bool:
        """Wait so long, or until nobody reads a pipe any more; return whether that is so."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return bool(poll.poll(seconds * 1000))

    def begin_line(self) -> None:
        """End the last line of a file that somebody was killed over; raises as `write` does."""
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode) and os.fstat(self._descriptor).st_size:
            with suppress(OSError), Path(f"/dev/fd/{self._descriptor}").open("rb") as file:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    self.write(b"\n")

    def sync(self) -> None:
        """Write everything that is pending, to a file also onto the disk; raises as `write` does."""
        self.flush()
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            with _output_errors(self.name):
                os.fsync(self._descriptor)


@contextmanager
def destination(
    path: str, *, stdout: int, force: bool = False, code: Callable[[str], str] | None = None
) -> Iterator[Sink]:
    """Open what an option `--output` names; at the end of the block the file exists, complete and on disk.

    A file is written in its folder under a hidden name, and then linked to its own name. A pipe or device is written
    directly. After an exception in the block no file is left.

    Args:
        path: A path, or `-`.
        stdout: The descriptor that `-` means.
        force: Whether a file that exists is replaced.
        code: What makes text harmless on a terminal, as for `Sink`.

    Raises:
        UsageError: The path exists, or its folder cannot be written to; at the start of the block, or at its end
            if another process created the file meanwhile.
        OutputError: The file cannot be completed.
    """
    if path == STANDARD:
        sink = Sink(stdout, STANDARD_NAME, code)
        yield sink
        sink.flush()
    elif _is_special(path, force=force):
        with _opened(path, os.O_WRONLY) as descriptor:
            sink = Sink(descriptor, path, code)
            yield sink
            sink.flush()
    else:
        with _completed(Path(os.path.realpath(path) if force else path), force=force) as sink:
            yield sink


def require_writable(path: str, *, force: bool = False) -> None:
    """Make sure that a file which will be written later is not there yet, or may be replaced.

    Raises:
        UsageError: The path exists, or is a folder.
    """
    _is_special(path, force=force)


@contextmanager
def _completed(path: Path, *, force: bool) -> Iterator[Sink]:
    hidden = path.parent / f".auditctl-{secrets.token_hex(8)}.part"
    try:
        with _opened(str(hidden), os.O_WRONLY | os.O_CREAT | os.O_EXCL, path) as descriptor:
            sink = Sink(descriptor, str(path), file=hidden)
            yield sink
            sink.sync()
        with _output_errors(sink.name):
            _publish(hidden, path, force=force)
    finally:
        with suppress(FileNotFoundError):
            hidden.unlink()


@contextmanager
def _opened(path: str, flags: int, final: Path | None = None) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(
            f"cannot write {final or path}: {error.strerror}", hint="Name a file in a folder you may write to."
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_special(path: str, *, force: bool) -> bool:
    """Return whether the path is a pipe or device; raise for a folder, and for a file that must not be replaced."""
    if not path or "\0" in path:
        raise UsageError("the output's path is empty or holds a NUL byte")
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode) and os.path.exists(path):  # noqa: PTH110 - the path as given
            status = os.stat(path)  # noqa: PTH116 - the path as given
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="Name another file.") from error
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path} is a folder", hint="Name a file in it.")
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return True
    if not force:
        raise _exists(path)
    return False


def _publish(hidden: Path, path: Path, *, force: bool) -> None:
    if force:
        hidden.replace(path)
    else:
        try:
            # Unlike a rename, a link never replaces what another process put there meanwhile.
            path.hardlink_to(hidden)
        except FileExistsError:
            raise _exists(str(path)) from None
        except OSError:
            # A file system without links; the race between the check and the rename cannot be avoided.
            if os.path.lexists(path):
                raise _exists(str(path)) from None
            hidden.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def require_new(*paths: str) -> None:
    """Raise for files that are written together if some of them exist: one error names all of those.

    Raises:
        UsageError: A path is a file.
    """
    if existing := [path for path in paths if os.path.isfile(path)]:  # noqa: PTH113 - the path as given
        raise _exists(*existing)


def _exists(*paths: str) -> UsageError:
    what, it = ("exists", "it") if len(paths) == 1 else ("exist", "them")
    return UsageError(f"{' and '.join(paths)} {what}", hint=f"Name another file, or replace {it} with --force.")


@contextmanager
def _output_errors(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        option = "" if name == STANDARD_NAME else " with --output"
        raise OutputError(
            f"cannot write {name}: {error.strerror}",
            hint=f"Free some space, or write to another place{option}." if error.errno else "",
        ) from error
