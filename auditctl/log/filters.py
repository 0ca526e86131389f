"""The registry of filters: one row each. To add one, see CONTRIBUTING.md.

The command line's options, the page's form and chips, the documentation's table and every query come from it. A filter
decides what a text means and which events it selects. Only the look-up of names runs queries here.
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
from auditctl.log import (
    filter_lookup,
    filter_text,
    filter_values,
    predicates,
    time_predicates,
    times,
    value_predicates,
    week_text,
)
from auditctl.log.filter_lookup import Targets
from auditctl.log.filter_row import Field, FieldKind, Filter
from auditctl.log.keys import Key
from auditctl.log.predicates import Predicate
from auditctl.text import in_quotes, iso_utc

ZONE = "tz"
"""The name of the option and parameter with the time zone of the other filters: it selects nothing itself."""

ZONE_HELP = "Time zone of dates, of times without an offset, and of tables of events, such as Europe/Berlin."

__all__ = ["BY_NAME", "FILTERS", "ZONE", "ZONE_HELP", "Field", "FieldKind", "Filter", "Filters"]

_WITH_VALUES_BEFORE = (Action.UPDATE, Action.DELETE)
_WITH_VALUES_AFTER = (Action.CREATE, Action.UPDATE, Action.EVENT, Action.BASELINE)

FILTERS = (
    Filter("since", "From", "TIME", "At this time or later: 2026-11-23, 2026-11-23T20:38:00Z, today, last-month, 1h30m "
           "ago.",
           "2026-01-01", times.parse, time_predicates.since, Field(FieldKind.TIME, "e.g. 24h"),
           normalize=times.normalize, by_clock=True),
    Filter("until", "Before", "TIME", "Before this time.",
           "2026-12-01", times.parse, time_predicates.until, Field(FieldKind.TIME, "e.g. 2026-12-01"),
           normalize=times.normalize, by_clock=True),
    Filter("weekday", "Weekday", "DAYS", "On these days, by the clock of --tz: mon, sat,sun or mon-fri, with Friday.",
           "sun", week_text.weekdays, time_predicates.during, Field(placeholder="e.g. sat,sun", is_advanced=True),
           repeatable=True, normalize=week_text.normalize, by_clock=True),
    Filter("hour", "Hour", "HOURS", "In these hours of the day, by the clock of --tz: 9 is 09:00 to 09:59, 9-17 is "
           "09:00 to 16:59, 22-6 goes past midnight.",
           "12", week_text.hours, time_predicates.during, Field(placeholder="e.g. 22-6", is_advanced=True),
           repeatable=True, normalize=week_text.normalize, by_clock=True),
    Filter("outside-hours", "Outside hours", "HOURS", "Outside these hours of the week, by the clock of --tz: "
           "'mon-fri 8-18'; of several, outside all.",
           "mon-fri 8-18", week_text.outside, time_predicates.outside,
           Field(placeholder="e.g. mon-fri 8-18", is_advanced=True), repeatable=True, normalize=week_text.normalize,
           is_conjunctive=True, by_clock=True),
    Filter("target", "Target", "TABLE", "About this table: its name, its label or a glob such as 'billing.*'.",
           "billing.customer", filter_values.text, predicates.target,
           Field(placeholder="e.g. Invoice", suggestions="targets", is_wide=True),
           repeatable=True, resolve=filter_lookup.resolve_targets),
    Filter("id", "Target ID", "KEY", "About the row with this key; a key of several columns is a JSON array.",
           "7", Key, predicates.key, Field(placeholder="e.g. 4711"), resolve=filter_lookup.resolve_keys,
           repeatable=True, suggest=filter_lookup.suggest_keys, may_be_empty=True, is_usually_one=True),
    Filter("user", "User", "NAME", "By this user or database login, as the log shows it: @NAME is a login that acted "
           "in its own name, (System) the system. actor:NAME is a user of any name, application:NAME one that an "
           "application named, login:NAME a login, for any actor.",
           "alice", filter_values.user, predicates.user, Field(placeholder="e.g. alice", suggestions="users"),
           resolve=filter_lookup.resolve_users, suggest=filter_lookup.suggest_users, repeatable=True,
           is_usually_one=True),
    Filter("not-user", "Not by user", "NAME", "Neither by this user nor through this login; written as for --user.",
           "bob", filter_values.user, predicates.not_user, Field(suggestions="users", is_advanced=True),
           repeatable=True, resolve=filter_lookup.resolve_users, doubt=filter_lookup.doubt_users, is_conjunctive=True),
    Filter("kind", "User type", "KIND", "By a user of this kind: application, which an application named; database, a "
           "login that acted in its own name; or system.",
           "application", filter_values.kind, predicates.kind,
           Field(FieldKind.CHECKBOXES, choices=filter_values.KINDS, is_advanced=True), repeatable=True),
    Filter("action", "Action", "ACTION", "Of this action: create, read, update, delete, truncate or event; baseline "
           "for rows that were there.",
           "update", filter_values.action, predicates.action, Field(FieldKind.CHECKBOXES, choices=tuple(Action)),
           repeatable=True),
    Filter("column", "Changed column", "NAME", "An update that changed this column.",
           "balance", filter_values.text, value_predicates.column, Field(is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_columns, actions=(Action.UPDATE,)),
    Filter("changed", "Value before or after", "COLUMN=VALUE", "With this value of the column before or after: "
           "status=closed; 5 is the number or the text, null no value. Of several columns all have to match, of one "
           "any value.",
           "balance=12.5", filter_values.column_value, value_predicates.changed,
           Field(placeholder="e.g. status=closed", is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_values, is_conjunctive=True, is_paired=True,
           actions=(*_WITH_VALUES_BEFORE, *_WITH_VALUES_AFTER)),
    Filter("was", "Value before", "COLUMN=VALUE", "With this value of the column before; also of a deleted row.",
           "balance=10", filter_values.column_value, value_predicates.was,
           Field(placeholder="e.g. status=open", is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_values, is_conjunctive=True, is_paired=True, actions=_WITH_VALUES_BEFORE),
    Filter("became", "Value after", "COLUMN=VALUE", "With this value of the column after; also of a created row.",
           "balance=12.5", filter_values.column_value, value_predicates.became,
           Field(placeholder="e.g. status=closed", is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_values, is_conjunctive=True, is_paired=True, actions=_WITH_VALUES_AFTER),
    Filter("ip", "IP address", "ADDRESS", "From this address or network, such as 203.0.113.0/24.",
           "203.0.113.0/24", filter_values.network, predicates.network,
           Field(placeholder="e.g. 203.0.113.0/24", is_advanced=True)),
    Filter("xact", "Transaction", "NUMBER", "Made by this transaction; NUMBER@EVENT for the one that wrote an event, "
           "where a restored log has transactions of several clusters.",
           "700", filter_values.xact, predicates.xact, Field(is_numeric=True, is_advanced=True),
           resolve=filter_lookup.resolve_transactions),
    Filter("reason", "Reason", "TEXT", "With this text in its reason, in upper or lower case.",
           "ticket 47", filter_values.text, value_predicates.reason,
           Field(placeholder="e.g. ticket 4711", is_advanced=True)),
    Filter("context", "Context", "KEY=VALUE",
           "With this in its context, such as request_id=4f2a. Of several keys all have to match, of one any value.",
           "request_id=4f2a", filter_values.pair, value_predicates.context,
           Field(placeholder="e.g. request_id=4f2a", is_advanced=True), repeatable=True, is_conjunctive=True,
           is_paired=True),
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

    def resolve(self, conn: Connection) -> Filters:
        """Return the filters with names looked up: targets as events carry them.

        Raises:
            UsageError: The log knows no such table or column.
            DatabaseError: The login may not read the log.
        """
        filters = self
        for row in FILTERS:
            if row.resolve is not None and row.name in filters.values:
                values = row.resolve(conn, filters.values[row.name], filters.targets)
                filters = replace(filters, values={**filters.values, row.name: values})
        return filters

    def predicates(self) -> tuple[Predicate, ...]:
        """Return the condition of each filter, over the columns of view auditctl.activity; empty without filters."""
        return tuple(row.predicate(self.values[row.name]) for row in FILTERS if row.name in self.values)

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

    def suggest(self, conn: Connection) -> str:
        """Return questions that name values like those that were searched for; empty without any.

        Only for resolved filters that found nothing.

        Raises:
            DatabaseError: The login may not read the log.
        """
        asked = ((row.suggest, row.name) for row in FILTERS if row.suggest and row.name in self.values)
        return " ".join(filter(None, (ask(conn, self.values[name], self.targets) for ask, name in asked)))

    def doubts(self, conn: Connection) -> tuple[str, ...]:
        """Return sentences about values that have no effect on what is selected; empty without any.

        Only for resolved filters.

        Raises:
            DatabaseError: The login may not read the log.
        """
        asked = ((row.doubt, row.name) for row in FILTERS if row.doubt and row.name in self.values)
        return tuple(sentence for doubt, name in asked for sentence in doubt(conn, self.values[name]))

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
