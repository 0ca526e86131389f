"""Parses the filters of a page's address, shows them as chips, and keeps them in every link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditctl.clock import UTC
from auditctl.errors import UsageError
from auditctl.log.filters import BY_NAME, FILTERS, ZONE, Filters, by_clock

FILTER_NAMES = frozenset(row.name for row in FILTERS)

TIMES, HOURS = ("since", "until"), ("weekday", "hour", "outside-hours")
"""The filters for a period, and those for hours of the week."""


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter, shown above the log.

    Attributes:
        label: The filter's label.
        value: Its text.
        without: The parameters of the same view without it.
    """

    label: str
    value: str
    without: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Texts of filters that a link chooses.

    Attributes:
        label: The link's text.
        filters: The filters that it sets.
        texts: Their texts; without a text, a filter is removed.
        title: What it means; empty where the label says it.
    """

    label: str
    filters: tuple[str, ...]
    texts: Mapping[str, str]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The filters of an address.

    Attributes:
        texts: By the filter's name, in the registry's order; without blanks around them.
        error: Why they are not valid; None if they are.
        zones: The names of time zones, of which there may be one; empty for UTC.
    """

    texts: Mapping[str, tuple[str, ...]]
    error: UsageError | None = None
    zones: tuple[str, ...] = ()

    @classmethod
    def of(cls, parameters: Mapping[str, Sequence[str]]) -> Narrowing:
        """Take the filters out of an address's parameters; raises nothing."""
        texts = {row.name: tuple(dict.fromkeys(parameters[row.name])) for row in FILTERS if parameters.get(row.name)}
        return cls(texts, zones=tuple(parameters.get(ZONE, ())))

    def parsed(self) -> Filters:
        """Return the parsed filters.

        Raises:
            UsageError: As `Filters.parse` does.
        """
        return Filters.parse({**self.texts, ZONE: self.zones or (UTC.name,)})

    @property
    def chips(self) -> list[Chip]:
        """A chip for each value."""
        return [
            Chip(BY_NAME[name].label, value, self.without(name, value))
            for name, values in self.texts.items()
            for value in values
        ]

    @property
    def by_clock(self) -> str:
        """What of the filters is read by the page's clock, in words; empty if nothing is."""
        return by_clock(self.texts)

    @property
    def is_by_hour(self) -> bool:
        """Whether only some hours of the week are selected."""
        return any(name in self.texts for name in HOURS)

    @property
    def title(self) -> str:
        """What is selected, for the page's title; empty without filters."""
        return ", ".join(f"{chip.label}: {chip.value}" for chip in self.chips)

    def without(self, name: str, value: str | None = None) -> dict[str, tuple[str, ...]]:
        """Return the parameters without a value of a filter, or without the filter."""
        others = {**self.texts}
        rest = tuple(text for text in others.pop(name, ()) if value is not None and text != value)
        return {
            row.name: values for row in FILTERS if (values := rest if row.name == name else others.get(row.name, ()))
        }

    def having(self, **texts: str) -> dict[str, tuple[str, ...]]:
        """Return the parameters with these texts instead of the filters' own."""
        changed = {**self.texts, **{name: (text,) for name, text in texts.items()}}
        return {row.name: changed[row.name] for row in FILTERS if row.name in changed}

    def choosing(self, choice: Choice) -> dict[str, tuple[str, ...]]:
        """Return the parameters with the texts of a choice, and without other texts of its filters."""
        others = {name: texts for name, texts in self.texts.items() if name not in choice.filters}
        return Narrowing(others).having(**choice.texts)

    def has_chosen(self, choice: Choice) -> bool:
        """Return whether the filters of a choice have its texts and no others."""
        wanted = {name: (text,) for name, text in choice.texts.items()}
        return {name: self.texts[name] for name in choice.filters if name in self.texts} == wanted

    @property
    def is_typeable(self) -> bool:
        """Whether the fields of a form can hold all texts: they have no line breaks, which fields of one line drop."""
        return not any("\n" in text or "\r" in text for texts in self.texts.values() for text in texts)

    def one(self, name: str) -> str:
        """Return the first text of a filter, which is the value of its field; empty without one."""
        return self.texts.get(name, ("",))[0]
