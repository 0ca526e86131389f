"""Filters as they were given: parsed, looked up, turned into conditions and into words.

Which filters exist, says `filter_registry`. Only the look-up of names runs queries here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from auditctl import clock
from auditctl.actions import Action
from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log import filter_text, filter_values, times
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.filter_registry import BY_NAME, FILTERS
from auditctl.log.filter_row import Field, FieldKind, Filter
from auditctl.log.known_names import DatabaseNames, KnownNames, Targets
from auditctl.log.predicates import Predicate
from auditctl.text import in_quotes, iso_utc

ZONE = "tz"
"""The name of the option and parameter with the time zone of the other filters: it selects nothing itself."""

ZONE_HELP = "Time zone of dates, of times without an offset, and of tables of events, such as Europe/Berlin."

__all__ = ["BY_NAME", "FILTERS", "ZONE", "ZONE_HELP", "Field", "FieldKind", "Filter", "Filters"]


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters to apply; an event is selected if it satisfies all of them.

    Attributes:
        texts: The texts as given, by the filter's name; local times with their offset.
        values: The parsed values, by the filter's name; never empty before names are looked up.
        zone: The clock that was named; None without one.
    """

    texts: Mapping[str, tuple[str, ...]]
    values: Mapping[str, tuple[Any, ...]]
    zone: Clock | None = None

    @property
    def clock(self) -> Clock:
        """The clock by which times are shown."""
        return self.zone or clock.UTC

    @classmethod
    def parse(cls, texts: Mapping[str, Sequence[str]], *, now: datetime | None = None) -> Filters:
        """Parse the texts of options or query parameters; a name without texts is left out.

        Args:
            texts: By the filter's name; under `tz` the name of a time zone.
            now: The time at which durations such as `24h` are evaluated; None for the clock's. It decides only whether
                the interval is empty. The query uses the server's clock.

        Raises:
            UsageError: No such filter or time zone, several texts for a filter that takes one, a text that is not
                valid, or an interval that ends before it starts.
        """
        given = {name: tuple(_trimmed(name, text) for text in values) for name, values in texts.items() if values}
        zone = _zone(given.pop(ZONE, ()))
        parsed = {name: _parse(name, values, zone) for name, values in given.items()}
        if "since" in parsed and "until" in parsed:
            moment = now or datetime.now(UTC)
            if parsed["until"][0].at(moment) <= parsed["since"][0].at(moment):
                raise UsageError(
                    f"until {given['until'][0]} is not after since {given['since'][0]}",
                    hint="The interval holds what is at since or later, and before until.",
                )
        return cls({name: _normalize(BY_NAME[name], values, zone) for name, values in given.items()}, parsed, zone)

    def resolve(self, source: Connection | KnownNames) -> Filters:
        """Return the filters with names looked up: targets as events carry them.

        Args:
            source: Where to look: in the log, by its connection, or in the names that something else knows.

        Raises:
            UsageError: The log knows no such table or column.
            DatabaseError: The login may not read the log.
        """
        filters, names = self, _names(source)
        for row in FILTERS:
            if row.resolve is not None and row.name in filters.values:
                values = row.resolve(names, filters.values[row.name], filters.targets)
                filters = replace(filters, values={**filters.values, row.name: values})
        return filters

    def predicates(self) -> tuple[Predicate, ...]:
        """Return the condition of each filter, over the columns of view auditctl.activity; empty without filters."""
        return tuple(row.predicate(self.values[row.name]) for row in FILTERS if row.name in self.values)

    def archive_predicates(self) -> tuple[ArchivePredicate, ...]:
        """Return the condition of each filter on archived events; empty without filters.

        Times before now are those before this call.
        """
        return tuple(row.archived(self.values[row.name]) for row in FILTERS if row.name in self.values)

    @property
    def targets(self) -> Targets:
        """The names of the targets to look at; None for all. Only for resolved filters."""
        return self.values.get("target")

    @property
    def actions(self) -> tuple[Action, ...] | None:
        """The actions that are asked for, or else those that events can have which all filters select; None for any."""
        if "action" in self.values:
            return self.values["action"]
        limits = [row.actions for row in FILTERS if row.actions is not None and row.name in self.values]
        return tuple(action for action in Action if all(action in some for some in limits)) if limits else None

    def suggest(self, source: Connection | KnownNames) -> str:
        """Return questions that name values like those that were searched for; empty without any.

        Only for resolved filters that found nothing.

        Raises:
            DatabaseError: The login may not read the log.
        """
        names = _names(source)
        asked = ((row.suggest, row.name) for row in FILTERS if row.suggest and row.name in self.values)
        return " ".join(filter(None, (ask(names, self.values[name], self.targets) for ask, name in asked)))

    def doubts(self, source: Connection | KnownNames) -> tuple[str, ...]:
        """Return sentences about values that have no effect on what is selected; empty without any.

        Only for resolved filters.

        Raises:
            DatabaseError: The login may not read the log.
        """
        names = _names(source)
        asked = ((row.doubt, row.name) for row in FILTERS if row.doubt and row.name in self.values)
        return tuple(sentence for doubt, name in asked for sentence in doubt(names, self.values[name]))

    def require_fixed(self, name: str) -> None:
        """Make sure that the filters mean the same each time.

        Args:
            name: What remembers them.

        Raises:
            UsageError: One is a time before now, which moves on.
        """
        for row in FILTERS:
            value = self.values.get(row.name, (None,))[0]
            if times.is_relative(value):
                raise UsageError(
                    f"--{row.name} {self.texts[row.name][0]} means another time at each start of {name}",
                    hint=f"Write the time: --{row.name} {iso_utc(value.at(datetime.now(UTC)).replace(microsecond=0))}",
                )

    def describe(self) -> str:
        """Return what is selected, in words: `user alice, action update or delete`; `every event` without any."""
        given = [(row, self.texts[row.name]) for row in FILTERS if row.name in self.texts]
        words = [f"{row.label.lower()} {_joined(row, texts)}" for row, texts in given]
        if what := by_clock(self.texts):
            words.append(f"{what} in {self.clock.name}")
        return ", ".join(words) or "every event"

    def as_dict(self) -> dict[str, str | list[str]]:
        """Return the texts as given, in the registry's order, for JSON: a list where several are usual.

        The name of the time zone comes last, unless it is UTC.
        """
        given = [(row, self.texts[row.name]) for row in FILTERS if row.name in self.texts]
        is_text = {row.name: len(texts) == 1 and (row.is_usually_one or not row.repeatable) for row, texts in given}
        zone: dict[str, str | list[str]] = {} if self.clock == clock.UTC else {ZONE: self.clock.name}
        return {row.name: texts[0] if is_text[row.name] else list(texts) for row, texts in given} | zone


def _names(source: Connection | KnownNames) -> KnownNames:
    return source if isinstance(source, KnownNames) else DatabaseNames(source)


def by_clock(names: Iterable[str]) -> str:
    """Return what of filters with these names is read by a clock: `dates`, `hours`, or both; empty if nothing is."""
    are_times = [BY_NAME[name].field.kind is FieldKind.TIME for name in names if BY_NAME[name].by_clock]
    return " and ".join(["dates"] * any(are_times) + ["hours"] * (not all(are_times)))


def _trimmed(name: str, text: str) -> str:
    """Return a text trimmed; a key of blanks alone stays, for the empty key is another one."""
    row = BY_NAME.get(name)
    return filter_text.trim(text) or (text if row and row.may_be_empty else "")


def _zone(texts: tuple[str, ...]) -> Clock | None:
    if len(texts) > 1:
        raise UsageError(f"the filter {ZONE} takes one value, not {len(texts)}")
    return clock.parse(texts[0]) if texts else None


def _normalize(row: Filter, texts: tuple[str, ...], zone: Clock | None) -> tuple[str, ...]:
    return tuple(row.normalize(text, zone) if row.by_clock else row.normalize(text) for text in texts)


def _parse(name: str, texts: tuple[str, ...], zone: Clock | None) -> tuple[Any, ...]:
    row = BY_NAME.get(name)
    if row is None:
        raise UsageError(f"there is no filter {in_quotes(name)}", hint=f"Filters: {', '.join(BY_NAME)}.")
    if len(texts) > 1 and not row.repeatable:
        raise UsageError(f"the filter {name} takes one value, not {len(texts)}")
    values = [filter_text.value_of(text) for text in texts]
    for value in values:
        filter_values.require_storable(f"filter {name}", value, may_be_empty=row.may_be_empty)
    return tuple(row.parse(value, zone) if row.by_clock else row.parse(value) for value in values)


def _joined(row: Filter, texts: tuple[str, ...]) -> str:
    """Return texts with the words for how they are combined."""
    by_key: dict[str, list[str]] = {}
    for text in texts:
        by_key.setdefault(row.key_of(text), []).append(text)
    return " and ".join(" or ".join(some) for some in by_key.values())
