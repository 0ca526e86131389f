"""What filters for hours of the week mean, for the tests of all filters: see `filter_cases`."""

from __future__ import annotations

import random
from collections.abc import Callable

from auditctl.log.week import WeekHours
from tests.support.recorded import Recorded

Choice = tuple[list[str], Callable[[Recorded], bool]]
"""Texts of a filter, and whether they select an event."""


def week_hours(text: str) -> WeekHours:
    """Hours of the week, written as their numbers: `0-23 40`."""
    ranges = [part.partition("-") for part in text.split()]
    return WeekHours(frozenset(hour for first, _, last in ranges for hour in range(int(first), int(last or first) + 1)))


VALID = [
    ("weekday", "mon", week_hours("0-23")),
    ("weekday", "Saturday , SUN", week_hours("120-167")),
    ("weekday", "mon-fri", week_hours("0-119")),
    ("weekday", "sun – mon", week_hours("0-23 144-167")),
    ("weekday", "wed-wed", week_hours("48-71")),
    ("hour", "9", week_hours("9 33 57 81 105 129 153")),
    ("hour", "09:00", week_hours("9 33 57 81 105 129 153")),
    ("hour", "22-0", week_hours("22-23 46-47 70-71 94-95 118-119 142-143 166-167")),
    ("hour", "22 - 1, 12", week_hours("0 12 22-24 36 46-48 60 70-72 84 94-96 108 118-120 132 142-144 156 166-167")),
    ("hour", "0-24", week_hours("0-167")),
    ("outside-hours", "mon-fri 6-22", week_hours("0-5 22-29 46-53 70-77 94-101 118-167")),
    ("outside-hours", "Mon - Fri, sat 0 - 24", week_hours("144-167")),
]

INVALID = [
    ("weekday", "monda"),
    ("weekday", "mon-"),
    ("weekday", "mon,,tue"),
    ("weekday", "1"),
    ("hour", "25"),
    ("hour", "24"),
    ("hour", "24-6"),
    ("hour", "9-9"),
    ("hour", "9:30"),
    ("hour", "-1"),
    ("hour", "٢"),
    ("hour", "9-17-20"),
    ("outside-hours", "mon-fri"),
    ("outside-hours", "8-18 mon-fri"),
    ("outside-hours", "mon-sun 0-24"),
]


def _random_weekday(source: random.Random) -> Choice:
    some = source.sample(["mon", "Tuesday", "sun", "sat-mon"], 2)
    days = {"mon": {0}, "Tuesday": {1}, "sun": {6}, "sat-mon": {5, 6, 0}}
    return some, lambda event: event.at.weekday() in set().union(*(days[name] for name in some))


def _random_hour(source: random.Random) -> Choice:
    first, last = source.sample(range(24), 2)
    hours = {(first + count) % 24 for count in range((last - first) % 24)}
    return [f"{first}-{last}"], lambda event: event.at.hour in hours


def _random_outside(source: random.Random) -> Choice:
    hour = source.randint(11, 14)
    return (
        [f"sun {hour}-15", "mon 0-12"],
        lambda event: (
            not (
                (event.at.weekday() == 6 and hour <= event.at.hour < 15)
                or (event.at.weekday() == 0 and event.at.hour < 12)
            )
        ),
    )


RANDOM: dict[str, Callable[[random.Random], Choice]] = {
    "weekday": _random_weekday,
    "hour": _random_hour,
    "outside-hours": _random_outside,
}
