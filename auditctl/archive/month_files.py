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

_MARKS = (layout.MANIFEST, layout.DELETION, layout.ATTEMPT)
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
            if name not in (*_MARKS, layout.EVIDENCE) and not layout.is_part(name):
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
        names = self.files.names(self.key.folder)
        if layout.ATTEMPT not in names:
            document = {"kind": KIND, "version": 1, "store": dict(self.store)}
            with self.files.write(self.key.path(layout.ATTEMPT)) as file:
                file.write(json.dumps(document, indent=1).encode() + b"\n")
        self._clear()

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

    def _clear(self) -> None:
        """Remove the month's files but `_attempt.json`: the manifest first, so that it never names missing ones."""
        self.files.remove(self.key.path(layout.MANIFEST))
        for name in self.files.names(self.key.folder):
            if layout.is_part(name) or name in (layout.EVIDENCE, layout.DELETION):
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
