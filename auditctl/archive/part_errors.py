"""Says which file of an archive cannot be read, where an engine says only that it failed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from auditctl.archive import parts
from auditctl.archive.archive import RESTORE, ArchivedPart
from auditctl.archive.engines import EngineError, EngineMemoryError, EngineStopped
from auditctl.archive.manifest import ArchiveError


class naming:  # noqa: N801 - used like a function
    """Raises ArchiveError, with the name of the file, where an engine cannot read one of some files."""

    def __init__(self, window: Sequence[ArchivedPart]) -> None:
        self._window = window

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """Translate an error."""
        if isinstance(error, EngineMemoryError | EngineStopped):
            return
        if isinstance(error, EngineError | ValueError | TypeError | OverflowError):
            for part in self._window:
                _require_readable(part)
            names = ", ".join(part.files.shown(part.path) for part in self._window[:3])
            message = " ".join(str(error).split())[:300]
            raise ArchiveError(f"the archive cannot be read ({names}): {message}", hint=RESTORE) from error


def _require_readable(part: ArchivedPart) -> None:
    part.require()
    require_content(part)
    for _ in parts.read(part.files, part.path):
        pass


def require_content(part: ArchivedPart) -> None:
    """Make sure that a file has the SHA-256 of its manifest.

    Raises:
        ArchiveError: It was altered, or is missing.
        OutputError: It cannot be read.
    """
    content = hashlib.sha256()
    for data in part.files.chunks(part.path):
        content.update(data)
    if content.hexdigest() != part.part.sha256:
        raise ArchiveError(
            f"{part.files.shown(part.path)} was altered: its SHA-256 is not that of its manifest", hint=RESTORE
        )
