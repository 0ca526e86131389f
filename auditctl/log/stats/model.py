"""Figures of the log: what was counted, put together by target, month and action. Touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from auditctl.actions import Action

DIMENSIONS = ("target", "month", "action")
"""By what events may be counted."""

DAYS_OF_YEAR = 365


@dataclass(frozen=True, slots=True)
class Group:
    """Events that have target, month and action in common.

    Attributes:
        target: As events carry it; empty where events are not told apart by it, as the next two.
        month: Such as `2026-11`, in UTC.
        action: What happened; None where events are not told apart by it.
        events: How many.
        bytes: Their share of what their partitions take on disk.
        oldest: When the first was captured, in ISO 8601 in UTC with microseconds.
        newest: When the last was.
        label: What people see as the target, or None.
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
    """What the whole log takes on disk, whatever the filters.

    Attributes:
        bytes: All of it: the sum of pg_total_relation_size.
        index_bytes: The indexes' part.
        empty_bytes: What partitions without events take, which is nobody's share.
        partitions: How many there are.
        empty_partitions: How many of them hold no events (of those that were looked into).
        default_events: How many events lie in the DEFAULT partition, which should be none.
    """

    bytes: int
    index_bytes: int
    empty_bytes: int
    partitions: int
    empty_partitions: int
    default_events: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What came lately.

    Attributes:
        since: From when on.
        until: Before when.
        events: How many events.
        bytes: Their share of the disk.
    """

    since: datetime
    until: datetime
    events: int
    bytes: int

    @property
    def days(self) -> float:
        """How long that is; a day at least, so that an hour's worth is not taken for a day's."""
        return max((self.until - self.since) / timedelta(days=1), 1.0)

    @property
    def events_per_day(self) -> float:
        """Events a day."""
        return self.events / self.days

    @property
    def bytes_per_day(self) -> float:
        """Bytes a day."""
        return self.bytes / self.days

    @property
    def bytes_per_year(self) -> float:
        """What a year will take at this rate."""
        return self.bytes_per_day * DAYS_OF_YEAR


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the log holds.

    Attributes:
        groups: By target, month and action, sorted; empty where no event fits.
        storage: What the whole log takes.
        growth: What came lately of the events asked for.
        is_estimate: Whether events were counted in a sample of pages.
    """

    groups: tuple[Group, ...]
    storage: Storage
    growth: Growth
    is_estimate: bool = False

    @property
    def total(self) -> Group:
        """All of the groups together; its times are empty where there is none."""
        return next(iter(grouped(self.groups, ())), Group("", "", None, 0, 0, "", ""))


def grouped(groups: Iterable[Group], dimensions: Sequence[str]) -> list[Group]:
    """Return the groups put together that differ in none of the dimensions, sorted by these."""
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
