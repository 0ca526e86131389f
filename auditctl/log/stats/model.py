"""Defines the statistics of the log, and groups them by target, month and action. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from auditctl.actions import Action

DIMENSIONS = ("target", "month", "action")
"""The dimensions by which events are grouped."""

DAYS_OF_YEAR = 365


@dataclass(frozen=True, slots=True)
class Group:
    """Events with the same target, month and action.

    Attributes:
        target: As events carry it; empty where events are not grouped by it.
        month: Such as `2026-11`, by the clock of the filters; empty where events are not grouped by it.
        action: The action; None where events are not grouped by it.
        events: The number of events.
        bytes: Their share of the size of their partitions on disk.
        oldest: When the first was captured, in ISO 8601 in UTC with microseconds.
        newest: When the last was captured.
        label: The target's label, or None.
    """

    target: str
    month: str
    action: Action | None
    events: int
    bytes: int
    oldest: str
    newest: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """The size of the whole log on disk, regardless of filters.

    Attributes:
        bytes: The sum of pg_total_relation_size.
        index_bytes: The size of the indexes.
        empty_bytes: The size of partitions without events, which is in no event's share.
        partitions: The number of partitions.
        empty_partitions: The number of partitions without events (in the sample, if it is an estimate).
        default_events: The number of events in the DEFAULT partition, which should be zero.
    """

    bytes: int
    index_bytes: int
    empty_bytes: int
    partitions: int
    empty_partitions: int
    default_events: int


@dataclass(frozen=True, slots=True)
class ArchiveStorage:
    """The size of the archived months, regardless of filters.

    Attributes:
        bytes: The size of the files of events.
        files: How many there are.
        months: How many months they are of; a month of each database counts.
    """

    bytes: int
    files: int
    months: int


@dataclass(frozen=True, slots=True)
class Growth:
    """The recent growth of the log.

    Attributes:
        since: The start of the window.
        until: The end of the window, which is not part of it.
        events: The number of events in the window.
        bytes: Their share of the disk.
    """

    since: datetime
    until: datetime
    events: int
    bytes: int

    @property
    def days(self) -> float:
        """The length of the window, but at least a day, so that an hour's growth does not count as a day's."""
        return max((self.until - self.since) / timedelta(days=1), 1.0)

    @property
    def events_per_day(self) -> float:
        """Events per day."""
        return self.events / self.days

    @property
    def bytes_per_day(self) -> float:
        """Bytes per day."""
        return self.bytes / self.days

    @property
    def bytes_per_year(self) -> float:
        """Bytes per year at this rate."""
        return self.bytes_per_day * DAYS_OF_YEAR


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of the log.

    Attributes:
        groups: By target, month and action, sorted; empty where no event matches.
        storage: The size of the whole log.
        growth: The recent growth of the log by events that match the filters.
        is_estimate: Whether events were counted in a sample of pages.
        archive: The size of the archived months; None where they were not counted.
    """

    groups: tuple[Group, ...]
    storage: Storage
    growth: Growth
    is_estimate: bool = False
    archive: ArchiveStorage | None = None

    @property
    def total(self) -> Group:
        """The sum of all groups; its times are empty where there are no groups."""
        return _total(self.groups)


@dataclass(frozen=True, slots=True)
class ArchiveStatistics:
    """The statistics of an archive alone.

    Attributes:
        groups: By target, month and action, sorted; empty where no event matches.
        archive: The size of the archived months.
    """

    groups: tuple[Group, ...]
    archive: ArchiveStorage

    @property
    def total(self) -> Group:
        """The sum of all groups; its times are empty where there are no groups."""
        return _total(self.groups)


def _total(groups: Iterable[Group]) -> Group:
    return next(iter(grouped(groups, ())), Group("", "", None, 0, 0, "", ""))


def grouped(groups: Iterable[Group], dimensions: Sequence[str]) -> list[Group]:
    """Return the groups merged that differ in none of the dimensions, sorted by these."""
    merged: dict[tuple[Any, ...], Group] = {}
    for group in groups:
        key = tuple(getattr(group, name) for name in dimensions)
        before = merged.get(key)
        merged[key] = _reduced(group, dimensions) if before is None else _sum(before, group)
    return [merged[key] for key in sorted(merged)]


def _reduced(group: Group, dimensions: Sequence[str]) -> Group:
    return replace(
        group,
        target=group.target if "target" in dimensions else "",
        label=group.label if "target" in dimensions else None,
        month=group.month if "month" in dimensions else "",
        action=group.action if "action" in dimensions else None,
    )


def _sum(one: Group, other: Group) -> Group:
    return replace(
        one,
        events=one.events + other.events,
        bytes=one.bytes + other.bytes,
        oldest=min(one.oldest, other.oldest),
        newest=max(one.newest, other.newest),
    )
