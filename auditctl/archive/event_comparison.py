"""Compares the events in the files of a month with what was sealed of them, and says in sentences what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from auditctl.archive import sealed_leaves
from auditctl.archive.archive_report import ArchiveReport
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError
from auditctl.archive.parts import PartFile
from auditctl.archive.sealed_leaves import SealedLeaves
from auditctl.archive.tree_nodes import SealedEvent
from auditctl.evidence.block_events import signed
from auditctl.evidence.canonical import Fields
from auditctl.evidence.compare import columns_that_differ
from auditctl.evidence.findings import Finding
from auditctl.text import plural

_STEP = 5000


@dataclass(frozen=True, slots=True)
class Position:
    """Where an event is.

    Attributes:
        part: The name of the file in the month's folder.
        group: The group of rows, from 0.
    """

    part: str
    group: int


@dataclass(slots=True)
class EventComparison:
    """The events of one month.

    Attributes:
        key: The month.
        leaves: What was sealed of them; None if the month has no evidence, or none that can be read.
        report: What is found.
        progress: Is called with the number of events so far, and where it is.
        take: Is called with each event that is as it was sealed; without evidence, with each event.
    """

    key: MonthKey
    leaves: SealedLeaves | None
    report: ArchiveReport
    progress: Callable[[int, str], None]
    take: Callable[[Fields], None]
    _last: tuple[int, int] | None = None

    def add(self, part: str, file: PartFile) -> Iterator[Fields]:
        """Compare the events of a part; yield each of them."""
        for group in range(file.count):
            position = Position(part, group)
            try:
                for fields in file.read(group):
                    self._compare(fields, position)
                    yield fields
            except ArchiveError as error:
                self._find("file", str(error), position)

    def _find(self, kind: str, sentence: str, position: Position, **more: object) -> None:
        path = self.key.path(position.part)
        self.report.add(Finding(kind, sentence, file=path, row_group=position.group, **more))  # type: ignore[arg-type]

    def _compare(self, fields: Fields, position: Position) -> None:
        number = signed(fields[0] or b"")
        self.report.events += 1
        if not self.report.events % _STEP:
            self.progress(self.report.events, self.key.month)
        place = (signed(fields[1] or b""), number)
        if self._last is not None and place <= self._last:
            where = _where(self.key, position)
            self._find("file", f"from event {number} on, {where} is not in its order", position, event_id=number)
        self._last = place
        if self.leaves is None:
            self.report.unproven += 1
            self.take(fields)
            return
        found = self.leaves.take(fields)
        if found is None:
            sentence = f"event {number} was added to {_where(self.key, position)}"
            self._find("added", sentence, position, event_id=number)
            return
        leaf, is_again = found
        if is_again:
            sentence = f"event {number} is there twice: again in {_where(self.key, position)}"
            self._find("added", sentence, position, event_id=number)
        elif self._is_as_sealed(fields, leaf.event, leaf.hash, position):
            self.take(fields)

    def _is_as_sealed(self, fields: Fields, event: SealedEvent, leaf: bytes, position: Position) -> bool:
        columns: tuple[str, ...] = ()
        try:
            erasure = sealed_leaves.erasure_of(event)
            computed, checks = sealed_leaves.recompute(fields, event, erasure)
        except ValueError:
            computed = b""
        else:
            if computed == leaf and erasure is not None:
                self.report.erased += 1
                columns = erasure.altered(fields)
                self.report.note(erasure.sentence)
            elif computed != leaf:
                columns = columns_that_differ(event.checks, checks)
        if computed == leaf and not columns:
            return True
        names = ", ".join(columns)
        sentence = (
            f"event {event.event_id} was altered in {_where(self.key, position)}:"
            f" {names or 'a column that its check byte does not show'}"
        )
        self._find("altered", sentence, position, event_id=event.event_id, column=names or None, block=event.block)
        return False

    def finish(self) -> None:
        """Report what was sealed of the month and is not in its files, as runs of neighbors in the tree."""
        first = last = None
        count = 0
        for leaf in () if self.leaves is None else self.leaves.rest():
            is_next = last is not None and (leaf.index, leaf.event.block) == (last.index + 1, last.event.block)
            if first is not None and last is not None and not is_next:
                self._report_missing(first.event, last.event, count)
                first, count = None, 0
            first, last, count = first or leaf, leaf, count + 1
        if first is not None and last is not None:
            self._report_missing(first.event, last.event, count)

    def _report_missing(self, first: SealedEvent, last: SealedEvent, count: int) -> None:
        which = (
            f"event {first.event_id} is"
            if count == 1
            else (f"events {first.event_id} to {last.event_id} ({plural(count, 'event')}) are")
        )
        sentence = f"{which} missing from {self.key.folder}, block {first.block}"
        self.report.add(Finding("missing", sentence, first.event_id, block=first.block, file=self.key.folder))


def _where(key: MonthKey, position: Position) -> str:
    return f"row group {position.group} of {key.path(position.part)}"
