"""Opens an archive: which databases and months it has, by their manifests, and which files these name.

What no manifest names is not part of the archive: a month that is being written, or files of somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from auditctl.archive import layout, manifest
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError, Manifest, Part
from auditctl.archive.texts import Labels
from auditctl.errors import UsageError
from auditctl.log.target_names import KnownTarget
from auditctl.text import in_quotes

RESTORE = "Restore it from a copy. To see what else was altered: auditctl verify --archive PATH"


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """A file of events in its place.

    Attributes:
        files: The archive that has it.
        key: Its month.
        part: What the manifest says of it.
    """

    files: Files
    key: MonthKey
    part: Part

    @property
    def path(self) -> str:
        """Its path within the archive."""
        return self.key.path(self.part.name)

    def require(self) -> None:
        """Make sure that the file is there, and as large as it was.

        Raises:
            ArchiveError: It is missing, or was altered.
            OutputError: It cannot be read.
        """
        size = self.files.size(self.path)
        if size is None:
            raise ArchiveError(f"{self.files.shown(self.path)} is missing", hint=RESTORE)
        if size != self.part.bytes:
            raise ArchiveError(
                f"{self.files.shown(self.path)} was altered: it has {size:,} bytes, not {self.part.bytes:,}",
                hint=RESTORE,
            )


@dataclass(frozen=True, slots=True)
class Month:
    """A month of an archive.

    Attributes:
        files: The archive that has it.
        manifest: Its manifest.
    """

    files: Files
    manifest: Manifest

    @property
    def parts(self) -> tuple[ArchivedPart, ...]:
        """Its files, in the order of their events."""
        return tuple(ArchivedPart(self.files, self.manifest.key, part) for part in self.manifest.parts)


@dataclass(frozen=True, slots=True)
class Archive:
    """Months of events in files.

    Attributes:
        name: What messages call it.
        months: By month, then by database.
        without_manifest: Those that have files of events, but no manifest, and are not part of it.
        has_cold_events_only: Whether the events that stay hot are left out, as they are read in the database.
    """

    name: str
    months: tuple[Month, ...] = ()
    without_manifest: tuple[MonthKey, ...] = ()
    has_cold_events_only: bool = False

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases of the months, sorted."""
        return tuple(sorted({month.manifest.key.database for month in self.months}))

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests of the months."""
        return tuple(month.manifest for month in self.months)

    @property
    def newest(self) -> Mapping[str, Manifest]:
        """The manifest of each database that was archived last: it knows all targets of the others."""
        return {
            name: manifest.newest([one for one in self.manifests if one.key.database == name])
            for name in self.databases
        }

    @property
    def labels(self) -> Labels:
        """The labels of targets, by database."""
        return {
            name: {target.name: target.label for target in one.targets if target.label is not None}
            for name, one in self.newest.items()
        }

    @property
    def known_targets(self) -> list[KnownTarget]:
        """Every target that the newest manifests know, as `target_names.read` returns those of the log."""
        found = [target for one in self.newest.values() for target in one.targets]
        return [KnownTarget(target.name, target.label, target.later_name) for target in found]

    def require_one_database(self) -> None:
        """Make sure that there are no several databases. Raises UsageError."""
        if len(self.databases) > 1:
            raise UsageError(
                "the archive has several databases, in which the same key means other rows",
                hint=f"Choose one with --database: {', '.join(self.databases)}.",
            )

    def only(self, has: Callable[[Manifest], bool]) -> Archive:
        """Return the archive with only some of its months."""
        return replace(self, months=tuple(month for month in self.months if has(month.manifest)))


def read(files: Files, database: str | None = None) -> Archive:
    """Return an archive, whose manifests are valid.

    Args:
        files: Where it is; a folder that does not exist is an empty archive.
        database: The only database to look at; None for all.

    Raises:
        UsageError: The archive has months, but none of that database.
        ArchiveError: A manifest was altered, or is of another version.
        OutputError: A file cannot be read.
    """
    folders = sorted(keys(files), key=_order)
    found = [key for key in folders if files.size(key.path(layout.MANIFEST)) is not None]
    others = [key for key in sorted({*folders} - {*found}, key=_order) if _has_events(files.names(key.folder))]
    known = sorted({key.database for key in found})
    if database is not None and known and database not in known:
        raise UsageError(
            f"the archive {files.name} has no database {in_quotes(database)}", hint=f"It has: {', '.join(known)}."
        )
    months = tuple(month(files, key) for key in found if database in (None, key.database))
    return Archive(files.name, months, tuple(key for key in others if database in (None, key.database)))


def _order(key: MonthKey) -> tuple[str, str]:
    return key.month, key.database


def _has_events(names: Collection[str]) -> bool:
    """Whether a folder has events of a month that is not being deleted."""
    return layout.DELETION not in names and any(map(layout.is_part, names))


def month(files: Files, key: MonthKey, digest: str | None = None) -> Month:
    """Return a month.

    Args:
        files: Where it is.
        key: The month.
        digest: The digest of the manifest that the log names: it may be about to replace the one that is there.

    Raises:
        ArchiveError: Its manifest is missing, was altered, or is of another version.
        OutputError: It cannot be read.
    """
    path = key.path(layout.MANIFEST)
    if files.size(path) is None:
        raise ArchiveError(f"{files.shown(path)} is missing", hint=RESTORE)
    found = manifest.parse(files.read(path), key)
    if digest in (None, found.digest):
        return Month(files, found)
    following = key.path(layout.NEXT)
    if files.size(following) is not None and (other := manifest.parse(files.read(following), key)).digest == digest:
        return Month(files, other)
    # It may have replaced the other between the two looks.
    return Month(files, manifest.parse(files.read(path), key))


def keys(files: Files) -> Iterator[MonthKey]:
    """Yield each month that has a folder, complete or not, by database and month. Raises OutputError."""
    for database in layout.databases(files.folders()):
        folder = layout.database_folder(database)
        for name in files.folders(folder):
            if (key := MonthKey.of_folder(f"{folder}/{name}")) is not None:
                yield key
