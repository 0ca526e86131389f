"""The registry of filters: one row each. To add one, see CONTRIBUTING.md.

The command line's options, the page's form and chips, the documentation's table and every query come from it. A filter
decides what a text means and which events it selects. Only the look-up of names runs queries here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

from auditctl import clock
from auditctl.actions import Action
from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log import filter_values, keys, predicates, target_names, times, transactions
from auditctl.log.keys import Key
from auditctl.log.predicates import Predicate
from auditctl.text import in_quotes, iso_utc

ZONE = "tz"
"""The name of the option and parameter with the time zone of the other filters: it selects nothing itself."""

ZONE_HELP = "Time zone of dates, of times without an offset, and of tables of events, such as Europe/Berlin."

Resolve = Callable[[Connection, "tuple[Any, ...]", "Filters"], "tuple[Any, ...]"]


class FieldKind(Enum):
    """The kind of a form field: free text, a time with a calendar, or a checkbox for each of a few values."""

    TEXT = auto()
    TIME = auto()
    CHECKBOXES = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """The field of a filter in the page's form.

    Attributes:
        kind: What is entered.
        placeholder: Shown while the field is empty.
        choices: The values of checkboxes, which the filter accepts in any case.
        suggestions: The list of values to choose from: `targets`, `users`, or empty for none.
        is_wide: Whether it gets more room than others.
        is_numeric: Whether a phone shows digits to type.
        is_advanced: Whether it stands under "More".
    """

    kind: FieldKind = FieldKind.TEXT
    placeholder: str = ""
    choices: tuple[str, ...] = ()
    suggestions: str = ""
    is_wide: bool = False
    is_numeric: bool = False
    is_advanced: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """One way to select events.

    Attributes:
        name: The name of the option and of the query parameter.
        label: The name that people read on the page.
        metavar: The placeholder of its value in the help.
        help: What it selects, as one sentence without a subject.
        example: A value that selects events of the tests' log; the page is tested with it.
        parse: Turns a text into a value, of a time given the clock; raises UsageError.
        predicate: Turns all its values, at least one, into a condition over the columns of view auditctl.activity.
        field: Its field in the page's form.
        repeatable: Whether several values may be given.
        resolve: Looks the values up in the database; None where there is nothing to look up. Gets the filters as
            resolved so far, in the order of the registry; raises UsageError.
        may_be_empty: Whether an empty text is a value, and not the same as none.
        normalize: Returns a valid text as one that means the same on every machine, for links and recorded exports.
        is_conjunctive: Whether an event must match all of several values, not one of them.
    """

    name: str
    label: str
    metavar: str
    help: str
    example: str
    parse: Callable[..., Any]
    predicate: Callable[[Sequence[Any]], Predicate]
    field: Field = Field()
    repeatable: bool = False
    resolve: Resolve | None = None
    may_be_empty: bool = False
    normalize: Callable[..., str] = str
    is_conjunctive: bool = False

    @property
    def is_time(self) -> bool:
        """Whether its text is read by a clock."""
        return self.field.kind is FieldKind.TIME


def _resolve_targets(conn: Connection, patterns: tuple[str, ...], _: Filters) -> tuple[str, ...]:
    targets = target_names.read(conn)
    return tuple(sorted({name for pattern in patterns for name in target_names.find(conn, pattern, targets)}))


def _resolve_key(conn: Connection, values: tuple[Key, ...], filters: Filters) -> tuple[Key, ...]:
    targets = filters.values.get("target")
    return tuple(replace(key, groups=keys.find(conn, key.text, targets), of_any=targets is None) for key in values)


def _resolve_columns(conn: Connection, columns: tuple[str, ...], filters: Filters) -> tuple[str, ...]:
    target_names.require_columns(conn, columns, filters.values.get("target"))
    return columns


def _resolve_xact(
    conn: Connection, values: tuple[filter_values.Transaction, ...], _: Filters
) -> tuple[filter_values.Transaction, ...]:
    return tuple(transactions.resolve(conn, value) for value in values)


FILTERS = (
    Filter("since", "From", "TIME", "At this time or later: 2026-11-23, 2026-11-23T20:38:00Z, today, 1h30m ago.",
           "2026-01-01", times.parse, predicates.since, Field(FieldKind.TIME, "e.g. 2026-11-23 or 24h"),
           normalize=times.normalize),
    Filter("until", "Before", "TIME", "Before this time.",
           "2026-12-01", times.parse, predicates.until, Field(FieldKind.TIME, "e.g. 2026-12-01"),
           normalize=times.normalize),
    Filter("target", "Target", "TABLE", "About this table: its name, its label or a glob such as 'billing.*'.",
           "billing.customer", filter_values.text, predicates.target,
           Field(placeholder="table or label", suggestions="targets", is_wide=True),
           repeatable=True, resolve=_resolve_targets),
    Filter("id", "Target ID", "KEY", "About the row with this key; a key of several columns is a JSON array.",
           "7", Key, predicates.key, resolve=_resolve_key, may_be_empty=True),
    Filter("user", "User", "NAME", "By this user or database login; System for the system, actor:NAME for a user of "
           "any name, login:NAME for a login alone.",
           "alice", filter_values.user, predicates.user, Field(suggestions="users")),
    Filter("action", "Action", "ACTION", "Of this action: create, read, update, delete, truncate or event; baseline "
           "for rows that were there.",
           "update", filter_values.action, predicates.action, Field(FieldKind.CHECKBOXES, choices=tuple(Action)),
           repeatable=True),
    Filter("column", "Changed column", "NAME", "An update that changed this column.",
           "balance", filter_values.text, predicates.column, repeatable=True, resolve=_resolve_columns),
    Filter("ip", "IP address", "ADDRESS", "From this address or network, such as 203.0.113.0/24.",
           "203.0.113.0/24", filter_values.network, predicates.network, Field(placeholder="203.0.113.0/24")),
    Filter("xact", "Transaction", "NUMBER", "Made by this transaction; NUMBER@EVENT for the one that wrote an event, "
           "where a restored log has transactions of several clusters.",
           "700", filter_values.xact, predicates.xact, Field(is_numeric=True, is_advanced=True),
           resolve=_resolve_xact),
    Filter("reason", "Reason", "TEXT", "With this text in its reason, in upper or lower case.",
           "ticket 47", filter_values.text, predicates.reason, Field(placeholder="ticket 4711", is_advanced=True)),
    Filter("context", "Context", "KEY=VALUE",
           "With this in its context, such as request_id=4f2a; all, where given repeatedly.",
           "request_id=4f2a", filter_values.pair, predicates.context,
           Field(placeholder="request_id=4f2a", is_advanced=True), repeatable=True, is_conjunctive=True),
)  # fmt: skip
"""Every filter; the order of options and documentation. Targets are resolved before columns, which need them."""

BY_NAME = {row.name: row for row in FILTERS}


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
        given = {name: tuple(values) for name, values in texts.items() if values}
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

    def resolve(self, conn: Connection) -> Filters:
        """Return the filters with names looked up: targets as events carry them.

        Raises:
            UsageError: The log knows no such table or column.
            DatabaseError: The login may not read the log.
        """
        filters = self
        for row in FILTERS:
            if row.resolve is not None and row.name in filters.values:
                values = row.resolve(conn, filters.values[row.name], filters)
                filters = replace(filters, values={**filters.values, row.name: values})
        return filters

    def predicates(self) -> tuple[Predicate, ...]:
        """Return the condition of each filter, over the columns of view auditctl.activity; empty without filters."""
        return tuple(row.predicate(self.values[row.name]) for row in FILTERS if row.name in self.values)

    def suggest(self, conn: Connection) -> str:
        """Return a question that names keys like the one that was searched for; empty without one.

        Only for resolved filters that found nothing.

        Raises:
            DatabaseError: The login may not read the log.
        """
        if "id" not in self.values or "target" not in self.values:
            return ""
        return keys.suggest(conn, self.values["id"][0].text, self.values["target"])

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
        words = [f"{row.label.lower()} {' or '.join(texts)}" for row, texts in given]
        if any(row.is_time for row, _ in given):
            words.append(f"dates in {self.clock.name}")
        return ", ".join(words) or "every event"

    def as_dict(self) -> dict[str, str | list[str]]:
        """Return the texts as given, in the registry's order, for JSON: a list where a filter is repeatable.

        The name of the time zone comes last, unless it is UTC.
        """
        given = [(row, self.texts[row.name]) for row in FILTERS if row.name in self.texts]
        zone: dict[str, str | list[str]] = {} if self.clock == clock.UTC else {ZONE: self.clock.name}
        return {row.name: list(texts) if row.repeatable else texts[0] for row, texts in given} | zone


def _zone(texts: tuple[str, ...]) -> Clock | None:
    if len(texts) > 1:
        raise UsageError(f"the filter {ZONE} takes one value, not {len(texts)}")
    return clock.parse(texts[0]) if texts else None


def _normalize(row: Filter, texts: tuple[str, ...], zone: Clock | None) -> tuple[str, ...]:
    return tuple(row.normalize(text, zone) if row.is_time else row.normalize(text) for text in texts)


def _parse(name: str, texts: tuple[str, ...], zone: Clock | None) -> tuple[Any, ...]:
    row = BY_NAME.get(name)
    if row is None:
        raise UsageError(f"there is no filter {in_quotes(name)}", hint=f"Filters: {', '.join(BY_NAME)}.")
    if len(texts) > 1 and not row.repeatable:
        raise UsageError(f"the filter {name} takes one value, not {len(texts)}")
    for text in texts:
        filter_values.require_storable(f"filter {name}", text, may_be_empty=row.may_be_empty)
    return tuple(row.parse(text, zone) if row.is_time else row.parse(text) for text in texts)
