"""The clock by which times are read and shown: that of UTC or of a named time zone.

Every time that it shows carries its own abbreviation or offset. All others are in UTC: Python compares two times of one
zone by their digits, which is wrong on the nights when clocks change.
"""

from __future__ import annotations

import calendar
import functools
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC as UTC_ZONE
from datetime import date, datetime, time, tzinfo

from auditctl.errors import UsageError
from auditctl.text import did_you_mean, in_quotes

_NOT_NAMES = {"Factory", "localtime"}
"""Names in the machine's list that mean no zone, or another one on each machine."""


_FIXED = re.compile(r"(?:UTC|GMT)? ?(?P<sign>[+-])(?P<hours>[0-9]{1,2})(?::?00)?", re.ASCII | re.IGNORECASE)
_LONGEST_ABBREVIATION = 5


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of a time zone.

    Attributes:
        name: The zone's IANA name, such as `Europe/Berlin`, or `UTC`.
        zone: The zone.
    """

    name: str
    zone: tzinfo

    def local(self, moment: datetime) -> datetime:
        """Return an aware time in this zone; in UTC at an end of the calendar, where the zone has none."""
        try:
            return moment.astimezone(self.zone)
        except OverflowError:
            return moment.astimezone(UTC_ZONE)

    def zone_at(self, moment: datetime) -> str:
        """Return what the zone is called at a time, such as CET, CEST or UTC+05:45."""
        local = self.local(moment)
        name = local.tzname() or ""
        return name if name.isalpha() else f"UTC{_offset(local)}"

    def text(self, moment: datetime, *, microseconds: bool = False) -> str:
        """Return an aware time for people, such as `14 Oct 2026, 16:01:08 CEST`."""
        local = self.local(moment)
        digits = f".{local.microsecond:06}" if microseconds else ""
        return f"{day_text(local)}, {local:%H:%M:%S}{digits} {self.zone_at(moment)}"

    def digits(self, moment: datetime) -> str:
        """Return an aware time in ISO's order, such as `2026-10-14 16:01:08 CEST`."""
        return f"{self.local(moment).replace(tzinfo=None, microsecond=0)} {self.zone_at(moment)}"

    def iso(self, moment: datetime) -> str:
        """Return an aware time as ISO 8601 with its offset, which is Z in UTC."""
        text = self.local(moment).isoformat()
        return text.removesuffix("+00:00") + "Z" if self.zone is UTC_ZONE else text

    def midnight(self, day: date) -> datetime:
        """Return when a day begins here, in UTC: at the first midnight, or when clocks skip it, right then."""
        return self.first(datetime.combine(day, time()))

    def begins_day(self, moment: datetime) -> bool:
        """Return whether a day begins here at a time."""
        try:
            return self.midnight(self.local(moment).date()) == moment
        except OverflowError:
            return False

    def first(self, local: datetime) -> datetime:
        """Return when clocks here first show a date and time, in UTC; when they skip it, the end of the gap or later.

        Raises:
            OverflowError: It is out of range.
        """
        return local.replace(tzinfo=self.zone, fold=0).astimezone(UTC_ZONE)

    def moment(self, local: datetime) -> datetime:
        """Return when clocks here show a date and time, in UTC.

        Raises:
            UsageError: They skip it, or show it twice, as on the nights when clocks change.
            OverflowError: It is out of range.
        """
        first, second = (local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC_ZONE) for fold in (0, 1))
        if first == second:
            return first
        if first > second:
            raise UsageError(
                f"clocks in {self.name} skipped {local}", hint=f"They went on from there to {self.iso(first)}."
            )
        raise UsageError(
            f"clocks in {self.name} showed {local} twice",
            hint=f"Write which one is meant: {self.iso(first)} or {self.iso(second)}.",
        )


UTC = Clock("UTC", UTC_ZONE)


def parse(name: str) -> Clock:
    """Return the clock of a zone, by its IANA name in any case.

    Raises:
        UsageError: This machine does not know the zone.
    """
    known = names()
    found = known.get(name.strip().casefold())
    if found is None:
        raise UsageError(f"{in_quotes(name)} is not a time zone{_guess(name, known)}", hint=_advice(name, known))
    return UTC if found == UTC.name else Clock(found, zoneinfo.ZoneInfo(found))


def _guess(name: str, known: Mapping[str, str]) -> str:
    """Return a question that names a zone of a place that is spelled like a name; empty without one."""
    if _is_abbreviation(name):
        return ""
    places = {text: zone for text, zone in known.items() if "/" in text and not text.startswith("etc/")}
    cities = {text.rpartition("/")[2]: zone for text, zone in places.items()}
    return did_you_mean(name.strip().casefold(), {**cities, **places}, before=". Did you mean ", cutoff=0.75)


def _is_abbreviation(name: str) -> bool:
    return name.strip().isalpha() and name.strip().isupper() and len(name.strip()) <= _LONGEST_ABBREVIATION


def _advice(name: str, known: Mapping[str, str]) -> str:
    if len(known) == 1:
        return "Install the package tzdata."
    if offset := _FIXED.fullmatch(name.strip()):
        sign, hours = offset["sign"], int(offset["hours"])
        if 1 <= hours <= 12:
            # Such a name has the sign of POSIX: the hours behind UTC.
            return f"UTC{sign}{hours:02}:00 is named Etc/GMT{'-' if sign == '+' else '+'}{hours}."
    if _is_abbreviation(name):
        return "An abbreviation may mean several zones. Write a name such as Europe/Berlin, or UTC."
    return "Write a name such as Europe/Berlin, or UTC."


@functools.cache
def names() -> dict[str, str]:
    """Return the names of all zones that this machine knows, by themselves in lower case."""
    known = {UTC.name, *zoneinfo.available_timezones()} - _NOT_NAMES
    return {name.casefold(): name for name in sorted(known)}


def day_text(day: date) -> str:
    """Return a date that nobody misreads, such as `14 Oct 2026`."""
    return f"{day.day} {day:%b} {day.year}"


def add_months(day: date, months: int) -> date:
    """Return the date that is so many months later: the same day, or the last one of a month that is shorter.

    Raises:
        ValueError: It is out of range.
    """
    count = (day.year - 1) * 12 + day.month - 1 + months
    year, month = count // 12 + 1, count % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _offset(local: datetime) -> str:
    text = local.isoformat()
    return text[max(text.rfind("+"), text.rfind("-")) :]
