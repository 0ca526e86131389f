"""Finds archived months whose files are missing, altered or unreadable, for doctor.

Every manifest is compared with the digest that the log recorded, and the size of every file with the manifest. Bytes
are compared up to a limit, of other months each day, so that all are compared in turn.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from auditctl.archive import file_check, files, layout, month_place
from auditctl.archive import manifest as manifests
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import Manifest
from auditctl.errors import AuditctlError

MOST_BYTES = 1_000_000_000
"""So many bytes are compared in one run."""


@dataclass(frozen=True, slots=True)
class RecordedMonth:
    """What the log says of an archived month.

    Attributes:
        month: The month in UTC, such as 2026-05.
        location: The archive.
        database: The name of the database in the paths of its files.
        manifest: The digest of its manifest.
        elsewhere: Where archives are now, as `settings.Settings.to`.
    """

    month: str
    location: str
    database: str
    manifest: str
    elsewhere: str | None = None


@dataclass(frozen=True, slots=True)
class AbsentArchive:
    """An archive that has none of its months, or cannot be looked into.

    Attributes:
        location: The archive.
        months: The months that it should have, in their order.
        problem: What is wrong with it, as the end of a sentence.
    """

    location: str
    months: tuple[str, ...]
    problem: str


def find_absent(months: Iterable[RecordedMonth]) -> Iterator[AbsentArchive]:
    """Yield the archives that are not where the log says, neither there nor elsewhere."""
    by_archive: dict[tuple[str, str], list[RecordedMonth]] = defaultdict(list)
    for one in months:
        by_archive[one.location, one.database].append(one)
    for (location, _), some in sorted(by_archive.items()):
        if problem := _obstacle(location, some):
            yield AbsentArchive(location, tuple(sorted(one.month for one in some)), problem)


def _obstacle(location: str, months: Sequence[RecordedMonth]) -> str:
    """Return why an archive has none of these months; empty if it has one."""
    folders = {MonthKey(one.database, one.month).folder for one in months}
    parent = layout.database_folder(months[0].database)
    problem = ""
    for place in filter(None, (location, months[0].elsewhere)):
        try:
            archive = files.at(place)
            if any(f"{parent}/{name}" in folders for name in archive.folders(parent)):
                return ""
            problem = problem or f"{archive.shown(parent)} is not there, as seen from this machine"
        except AuditctlError as error:
            problem = problem or str(error)
    return problem


def inspect(months: Iterable[RecordedMonth], day: date, most: int = MOST_BYTES) -> dict[str, str]:
    """Return what is wrong with archived months, by the month; what is sound is left out.

    Args:
        months: The months.
        day: The day, which decides whose bytes are compared.
        most: How many bytes are compared; the last file may exceed it.
    """
    problems: dict[str, str] = {}
    left = most
    for one in sorted(months, key=lambda one: hashlib.sha256(f"{day} {one.month}".encode()).digest()):
        try:
            key = MonthKey(one.database, one.month)
            archive = month_place.find(key, one.location, one.elsewhere)
            manifest = _manifest(archive, key, one.manifest)
            for path, size, sha256 in _files(manifest):
                if (found := archive.size(path)) is None:
                    problems[one.month] = f"{archive.shown(path)} is missing"
                    break
                if found != size:
                    raise file_check.differs(archive, path)
                if left > 0:
                    left -= found
                    file_check.check_bytes(archive, path, size, sha256)
        except AuditctlError as error:
            problems[one.month] = str(error)
    return problems


def _manifest(archive: Files, key: MonthKey, digest: str) -> Manifest:
    path = key.path(layout.MANIFEST)
    if archive.size(path) is None:
        raise AuditctlError(f"{archive.shown(path)} is missing, as seen from this machine")
    manifest = manifests.parse(archive.read(path), key)
    if layout.is_unfinished(archive.names(key.folder)):
        raise AuditctlError(f"{archive.shown(key.folder)} {layout.UNFINISHED}")
    if manifest.digest != digest:
        raise AuditctlError(f"{archive.shown(path)} is not the manifest that the log recorded")
    return manifest


def _files(manifest: Manifest) -> Iterator[tuple[str, int, str]]:
    for part in manifest.parts:
        yield manifest.key.path(part.name), part.bytes, part.sha256
    if manifest.evidence is not None:
        yield manifest.evidence_path, manifest.evidence["bytes"], manifest.evidence["sha256"]
