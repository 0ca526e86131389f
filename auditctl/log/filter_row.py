"""Defines a row of the registry of filters, and its field on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from auditctl.actions import Action
from auditctl.log import filter_text, filter_values
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.known_names import KnownNames, Targets
from auditctl.log.predicates import Predicate

Resolve = Callable[[KnownNames, tuple[Any, ...], Targets], tuple[Any, ...]]
Suggest = Callable[[KnownNames, tuple[Any, ...], Targets], str]
Doubt = Callable[[KnownNames, tuple[Any, ...]], Sequence[str]]


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
        is_advanced: Whether it stands under "More filters".
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
        parse: Turns a text into a value, given the clock if it is read by one; raises UsageError.
        predicate: Turns all its values, at least one, into a condition over the columns of view auditctl.activity.
        archived: Turns all its values into a condition on archived events, which selects the same ones.
        field: Its field in the page's form.
        repeatable: Whether several values may be given.
        is_usually_one: Whether one value is usual: then JSON has it as text, and as a list only if there are several.
        resolve: Looks the values up where events are; None where there is nothing to look up. Gets the targets, which
            are resolved first; raises UsageError.
        suggest: Returns a question that names values like those that were looked up and are not in the log; empty
            without one. None where there is nothing to suggest.
        doubt: Returns a sentence about each value that has no effect, also where events are found.
            None where each has one.
        may_be_empty: Whether an empty text is a value, and not the same as none.
        normalize: Returns a valid text as one that means the same on every machine, for links and recorded exports.
        is_conjunctive: Whether an event must match all of several values, not one of them.
        actions: The actions of events that it can select; None for any.
        by_clock: Whether its texts are read by a clock, which `parse` and `normalize` get.
        is_paired: Whether a value is KEY=VALUE: then it must match all of several keys, and one of the values of each.
    """

    name: str
    label: str
    metavar: str
    help: str
    example: str
    parse: Callable[..., Any]
    predicate: Callable[[Sequence[Any]], Predicate]
    archived: Callable[[Sequence[Any]], ArchivePredicate]
    field: Field = Field()
    repeatable: bool = False
    resolve: Resolve | None = None
    suggest: Suggest | None = None
    doubt: Doubt | None = None
    may_be_empty: bool = False
    normalize: Callable[..., str] = str
    is_conjunctive: bool = False
    is_paired: bool = False
    is_usually_one: bool = False
    actions: tuple[Action, ...] | None = None
    by_clock: bool = False

    def key_of(self, text: str) -> str:
        """Return the key of a text KEY=VALUE; empty where the filter has no keys. Raises UsageError."""
        return filter_values.pair(filter_text.value_of(filter_text.trim(text)))[0] if self.is_paired else ""
