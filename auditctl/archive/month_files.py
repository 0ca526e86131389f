"""The files of one month: whose they are, whether they are complete, and what may be removed.

Only what auditctl archive wrote for this database is ever removed. Anything else is an error that names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from auditctl.archive import layout, origin
from auditctl.archive import manifest as manifests
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError, Manifest

KIND = "auditctl archive attempt"
"""What a month's `_attempt.json` says it is."""

_MARKS = (layout.MANIFEST, layout.NEXT, layout.DELETION, layout.ATTEMPT)
_OTHER = "Archive to another folder, or move it away."


@dataclass(frozen=True, slots=True)
class MonthFiles:
    """The folder of a month in an archive.

    Attributes:
        files: The archive.
        key: The month.
        store: The database that archives it, as `origin.read` describes it.
    """

    files: Files
    key: MonthKey
    store: Mapping[str, Any]

    def manifest(self) -> Manifest | None:
        """Return the month's manifest; None if the month is not complete.

        Raises:
            ArchiveError: What is there is not what auditctl archive wrote for this database.
            OutputError: It cannot be read.
        """
        names = self.files.names(self.key.folder)
        for name in names:
            if name not in _MARKS and not _is_data(name):
                raise ArchiveError(f"{self._shown(name)} is not of auditctl archive", hint=_OTHER)
        for name in (layout.MANIFEST, layout.DELETION):
            if name in names:
                found = manifests.parse(self.files.read(self.key.path(name)), self.key)
                self._require_own(found.store, name)
                return found if name == layout.MANIFEST else None
        if layout.ATTEMPT in names:
            self._require_own(self._attempt(), layout.ATTEMPT)
        elif names:
            raise ArchiveError(f"{self._shown(names[0])} is of nobody's archive", hint=_OTHER)
        return None

    def begin(self) -> None:
        """Remove what an earlier archiver wrote, and say who writes from now on. `manifest` has shown that it may.

        Raises:
            OutputError: A file cannot be written or removed.
        """
        self.mark()
        self._clear()

    def mark(self) -> None:
        """Say who writes from now on. Raises OutputError."""
        if layout.ATTEMPT not in self.files.names(self.key.folder):
            document = {"kind": KIND, "version": 1, "store": dict(self.store)}
            with self.files.write(self.key.path(layout.ATTEMPT)) as file:
                file.write(json.dumps(document, indent=1).encode() + b"\n")

    def commit(self, manifest: Manifest) -> None:
        """Write the manifest, which completes the month. Raises OutputError."""
        with self.files.write(self.key.path(layout.MANIFEST)) as file:
            file.write(manifest.to_bytes())
        self.finish()

    def finish(self) -> None:
        """Remove what is there beside a complete month. Raises OutputError."""
        self.files.remove(self.key.path(layout.ATTEMPT))
        self.files.clean(self.key.folder)

    def give_up(self) -> None:
        """Remove an unfinished month as far as possible, such as after a full disk; the next run does the rest."""
        with suppress(Exception):
            if layout.MANIFEST not in self.files.names(self.key.folder):
                self._clear()
                self.files.remove(self.key.path(layout.ATTEMPT))

    def remove(self) -> None:
        """Remove a complete month, so that a kill leaves an unfinished one at most. Raises OutputError."""
        self.begin()
        self.files.remove(self.key.path(layout.ATTEMPT))

    def settle(self, digest: str) -> bool:
        """Finish the writing anew of a month that the log has recorded, or undo one that it has not.

        Args:
            digest: The digest of the month's manifest that the log has recorded.

        Returns:
            Whether there was something to do.

        Raises:
            ArchiveError: A file is not of auditctl archive, or of another database. Nothing was removed.
            OutputError: A file cannot be read, written or removed.
        """
        names = self.files.names(self.key.folder)
        if not layout.is_unfinished(names):
            return False
        if layout.ATTEMPT in names:
            self._require_own(self._attempt(), layout.ATTEMPT)
        if layout.NEXT in names:
            following = manifests.parse(self.files.read(self.key.path(layout.NEXT)), self.key)
            self._require_own(following.store, layout.NEXT)
            if following.digest == digest:
                self.files.replace(self.key.path(layout.NEXT), self.key.path(layout.MANIFEST))
        manifest = self.manifest()
        if manifest is None or manifest.digest != digest:
            raise ArchiveError(
                f"{self._shown(layout.MANIFEST)} is not the manifest that the log recorded",
                hint="Restore the archive from a copy.",
            )
        self.files.remove(self.key.path(layout.NEXT))
        for name in names if layout.ATTEMPT in names else ():
            if _is_data(name) and name not in manifest.names:
                self.files.remove(self.key.path(name))
        self.finish()
        return True

    def _clear(self) -> None:
        """Remove the month's files but `_attempt.json`: the manifest first, so that it never names missing ones."""
        self.files.remove(self.key.path(layout.MANIFEST))
        for name in self.files.names(self.key.folder):
            if _is_data(name) or name in (layout.NEXT, layout.DELETION):
                self.files.remove(self.key.path(name))
        self.files.clean(self.key.folder)

    def _attempt(self) -> Mapping[str, Any]:
        try:
            document = json.loads(self.files.read(self.key.path(layout.ATTEMPT)))
            store = document["store"] if document["kind"] == KIND else None
        except (ValueError, TypeError, KeyError, RecursionError):
            store = None
        if not isinstance(store, dict):
            raise ArchiveError(f"{self._shown(layout.ATTEMPT)} is not of auditctl archive", hint=_OTHER)
        return store

    def _require_own(self, store: Mapping[str, Any], name: str) -> None:
        if not origin.is_same(store, self.store):
            raise ArchiveError(
                f"{self._shown(name)} is of another database of that name, or of this one before it was restored",
                hint=_OTHER,
            )

    def _shown(self, name: str) -> str:
        return self.files.shown(self.key.path(name))


def _is_data(name: str) -> bool:
    return layout.is_part(name) or layout.is_evidence(name)
