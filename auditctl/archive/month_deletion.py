"""Deletes the files of one month: those that its manifest names and that are as it says, and no others.

`_deletion.json`, a copy of the manifest, says which these are until the last one is gone: killed anywhere, the next run
goes on. The manifest is removed before the files that it names, so that no reader misses one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditctl.archive import file_check, layout, origin
from auditctl.archive import manifest as manifests
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError, Manifest

_NAMES = (layout.MANIFEST, layout.DELETION)


@dataclass(frozen=True, slots=True)
class MonthDeletion:
    """The deletion of a month's files.

    Attributes:
        files: The archive.
        key: The month.
        store: The database that has it deleted, as `origin.read` describes it.
        digest: The digest of the manifest that the log recorded.
    """

    files: Files
    key: MonthKey
    store: Mapping[str, Any]
    digest: str

    def manifest(self) -> Manifest | None:
        """Return the manifest that the log recorded; None if nothing is left of the month.

        Raises:
            ArchiveError: The files are others, or of another database.
            OutputError: A file cannot be read.
        """
        names = self.files.names(self.key.folder)
        found = [self._manifest(name) for name in _NAMES if name in names]
        if names and not found:
            raise ArchiveError(f"{self._shown(layout.MANIFEST)} is missing")
        return found[0] if found else None

    def kept(self, manifest: Manifest, report: Callable[[int], None]) -> tuple[str, ...]:
        """Return the names of the files that stay: those that the manifest does not name, and altered ones.

        Args:
            manifest: The manifest.
            report: What takes how many bytes were read.

        Raises:
            OutputError: A file cannot be read.
        """
        named = {name: (size, sha256) for name, size, sha256 in _named(manifest)}
        kept, done = [], 0
        for name in self.files.names(self.key.folder):
            if name in named:
                size, sha256 = named[name]
                try:
                    file_check.check_bytes(self.files, self.key.path(name), size, sha256)
                except ArchiveError:
                    kept.append(name)
                done += size
                report(done)
            elif name not in _NAMES:
                kept.append(name)
        return tuple(kept)

    def begin(self, manifest: Manifest) -> None:
        """Write which files are deleted, and take the month out of the archive.

        Raises:
            OutputError: A file cannot be written or removed.
        """
        path = self.key.path(layout.DELETION)
        if self.files.size(path) is None:
            with self.files.write(path) as file:
                file.write(manifest.to_bytes())
        self.files.remove(self.key.path(layout.MANIFEST))

    def remove(self, manifest: Manifest, kept: tuple[str, ...]) -> None:
        """Remove the files that the manifest names but those that stay. Raises OutputError."""
        for name, _, _ in _named(manifest):
            if name not in kept:
                self.files.remove(self.key.path(name))

    def end(self) -> None:
        """Remove what says that the month is being deleted. Raises OutputError."""
        self.files.remove(self.key.path(layout.DELETION))

    def _manifest(self, name: str) -> Manifest:
        found = manifests.parse(self.files.read(self.key.path(name)), self.key)
        if found.digest != self.digest:
            raise ArchiveError(f"{self._shown(name)} is not the manifest that the log recorded")
        if not origin.is_same(found.store, self.store):
            raise ArchiveError(
                f"{self._shown(name)} is of another database, or of this one before it was restored or copied"
            )
        return found

    def _shown(self, name: str) -> str:
        return self.files.shown(self.key.path(name))


def _named(manifest: Manifest) -> Iterator[tuple[str, int, str]]:
    """Yield the files with events and their evidence: name, size and SHA-256."""
    for part in manifest.parts:
        yield part.name, part.bytes, part.sha256
    if manifest.evidence is not None:
        yield manifest.evidence_name, manifest.evidence["bytes"], manifest.evidence["sha256"]
