"""Reads, compares and stores how long events are kept, and estimates what a shorter time deletes.

Source: auditctl.retention and auditctl.set_retention (sql/functions/60_upkeep/retention.sql).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from auditctl import resources
from auditctl.database import Connection
from auditctl.durations import days, format_keep
from auditctl.text import plural

AS_EVERY_EVENT = "as every event"
"""How long a target without a time of its own is kept; in a form, what ends its time."""

EVERYTHING = "*"
"""The target that means every event."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A target whose stored time differs from the desired one.

    Attributes:
        target: The target, or a glob; `*` for every event.
        before: The stored time, in words; None if the target has no time of its own.
        after: The desired time, in words; None if the target should have none.
    """

    target: str
    before: str | None
    after: str | None

    @property
    def sentence(self) -> str:
        """What changes, for people."""
        what = "every event" if self.target == "*" else self.target
        return f"{what}: keep {self.after or AS_EVERY_EVENT}, instead of {self.before or AS_EVERY_EVENT}."


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """How to get from the stored times to the desired ones.

    Attributes:
        differences: What has to change; empty if nothing does.
        warning: What it deletes, as a sentence; empty for nothing.
    """

    differences: tuple[Difference, ...] = ()
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long events are kept.

    Attributes:
        keep: The time for every event, such as `400 days`; None for ever.
        targets: Targets, or globs over them, that are kept longer, each with its time or None for ever. A shorter one
            has no effect, as the longest counts.
    """

    keep: str | None = None
    targets: Mapping[str, str | None] = field(default_factory=dict)

    def named(self, registered: Mapping[str, str]) -> Retention:
        """Return it with targets called as they are registered, where that is known."""
        return replace(self, targets={registered.get(name, name): keep for name, keep in self.targets.items()})

    @property
    def notes(self) -> tuple[str, ...]:
        """Which times have no effect, for people, by the order of the targets."""
        return tuple(
            f"{name}: {time} is shorter than [retention] keep, {format_keep(self.keep)}, which counts"
            for name, time in sorted(self.targets.items())
            if time is not None and days(time) < days(self.keep)
        )

    def misnamed(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return which times name a table by its label, for people; `labels` has the table of each, in lower case."""
        return tuple(
            f"{name}: is the label of {table}, whose events this time does not keep"
            for name in sorted(self.targets)
            if (table := labels.get(name.lower())) and table != name
        )

    @property
    def by_target(self) -> dict[str, str | None]:
        """Every target with its time, `*` first."""
        return {EVERYTHING: self.keep, **{name: self.targets[name] for name in sorted(self.targets)}}


@dataclass(frozen=True, slots=True)
class Consequence:
    """What upkeep may delete once a shorter time counts.

    Attributes:
        partitions: How many months are concerned.
        events: About how many events they hold.
        oldest: The first of these months.
    """

    partitions: int
    events: int
    oldest: date

    @property
    def sentence(self) -> str:
        """It as a sentence, for people."""
        return (
            "This shortens how long events are kept: 7 days after a run of maintain has first seen it, maintain "
            f"deletes from {plural(self.partitions, 'month')} with about {plural(self.events, 'event')}, the oldest of "
            f"{self.oldest}, "
            "what is neither kept longer nor held."
        )


def read(conn: Connection) -> Retention:
    """Return the stored times."""
    rows: dict[str, str | None] = dict(
        conn.execute("select target, keep from auditctl.retention where until is null").fetchall()
    )
    return Retention(rows.get(EVERYTHING), {name: keep for name, keep in rows.items() if name != EVERYTHING})


def compare(desired: Retention, now: Retention) -> tuple[Difference, ...]:
    """Return the differences, in the order of the targets."""
    after, before = desired.by_target, now.by_target
    return tuple(
        Difference(
            name,
            format_keep(before[name]) if name in before else None,
            format_keep(after[name]) if name in after else None,
        )
        for name in {**after, **before}
        if name not in before or name not in after or before[name] != after[name]
    )


def consequence(conn: Connection, desired: Retention, now: Retention) -> Consequence | None:
    """Return what the stored times keep and the desired ones delete; None for none (queries/retention_effect.sql)."""
    after, before = desired.by_target, now.by_target
    changed = [one.target for one in compare(desired, now)]
    row = conn.execute(
        resources.sql_text("queries/retention_effect.sql"),
        {
            "before": [before.get(name, now.keep) for name in changed],
            "after": [after.get(name, desired.keep) for name in changed],
        },
    ).fetchone()
    return None if row is None or not row[0] else Consequence(*row)


def plan(conn: Connection, desired: Retention | None) -> RetentionPlan:
    """Plan how to get to the desired times; nothing if there are none."""
    if desired is None:
        return RetentionPlan()
    now = read(conn)
    effect = consequence(conn, desired, now)
    return RetentionPlan(compare(desired, now), effect.sentence if effect else "")


def write(conn: Connection, differences: tuple[Difference, ...]) -> None:
    """Store the desired times, inside the caller's transaction. The store records each change."""
    for one in differences:
        conn.execute("select auditctl.set_retention(%s, %s)", [one.target, one.after])
