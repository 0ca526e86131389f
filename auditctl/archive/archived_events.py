"""Finds single events in the months that are in files alone, by their numbers, with what was sealed of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from auditctl.archive import archive, dropped_months, evidence_file, file_check, parts
from auditctl.archive.dropped_months import DroppedMonth
from auditctl.archive.files import Files
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.tree_nodes import TreeNode
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.evidence.block_events import signed
from auditctl.evidence.canonical import Fields


@dataclass(slots=True)
class FoundMonth:
    """A month with events that were looked for.

    Attributes:
        record: What the log says of it.
        files: The archive that has it.
        manifest: Its manifest, which is the recorded one.
        events: The canonical bytes of the events, by number.
        parts: The name of the part of each.
    """

    record: DroppedMonth
    files: Files
    manifest: Manifest
    events: dict[int, Fields] = field(default_factory=dict)
    parts: dict[int, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """What messages call the folder of the month."""
        return self.files.shown(self.record.key.folder)


def find(conn: Connection, numbers: Collection[int]) -> list[FoundMonth]:
    """Return the months that have events of some numbers.

    Raises:
        UsageError: Several events have the same number.
        ArchiveError: The files are not those that the log recorded.
        OutputError: A file cannot be read.
    """
    months: list[FoundMonth] = []
    seen: set[int] = set()
    for record in dropped_months.read(conn):
        files = dropped_months.place(conn, record)
        manifest = archive.month(files, record.key, record.manifest).manifest
        if manifest.digest != record.manifest:
            raise ArchiveError(
                f"{files.shown(record.key.folder)} does not have the manifest that the log recorded",
                hint=archive.RESTORE,
            )
        month = FoundMonth(record, files, manifest)
        _search(month, {number for number in numbers if _may_have(manifest, number)})
        if again := seen & month.events.keys():
            raise _ambiguous(min(again))
        seen |= month.events.keys()
        if month.events:
            months.append(month)
    return months


def leaves(month: FoundMonth) -> Mapping[int, TreeNode]:
    """Return the leaves of the events that were found, by number; none of a month without evidence.

    Raises:
        ArchiveError: The evidence was altered, or lacks one of them.
        OutputError: It cannot be read.
    """
    facts = month.manifest.evidence
    if facts is None:
        return {}
    path = month.manifest.evidence_path
    file_check.check_bytes(month.files, path, facts["bytes"], facts["sha256"])
    with evidence_file.opened(month.files, path) as file:
        found = {
            node.event.event_id: node
            for node in file.all()
            if node.event is not None and node.event.event_id in month.events
        }
    if found.keys() != month.events.keys():
        raise ArchiveError(f"{month.files.shown(path)} is not of the events of the month", hint=archive.RESTORE)
    return found


def _may_have(manifest: Manifest, number: int) -> bool:
    first, last = manifest.first_event_id, manifest.last_event_id
    return first is not None and last is not None and first <= number <= last


def _search(month: FoundMonth, numbers: Collection[int]) -> None:
    for part in month.manifest.parts if numbers else ():
        with parts.opened(month.files, month.record.key.path(part.name)) as file:
            for group in sorted({group for number in numbers for group in file.groups_with(number)}):
                for fields in file.read(group):
                    number = signed(fields[0] or b"")
                    if number not in numbers:
                        continue
                    if number in month.events:
                        raise _ambiguous(number)
                    month.events[number], month.parts[number] = fields, part.name


def _ambiguous(number: int) -> UsageError:
    return UsageError(
        f"there are several events {number}, as numbers were used again", hint="None of them was changed."
    )
