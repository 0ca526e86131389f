"""Translates filters on actions, values, reason and context into conditions on the text of JSON in the archive.

A key's name stands in the text behind `{` or a blank, in quotes, and nothing within a string can look like that, as
quotes are escaped there. Which object the key is in, an engine cannot tell, unless there is only one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditctl.actions import Action
from auditctl.log import jsonb_text
from auditctl.log.archive_predicates import FLAT, ArchivePredicate, Expression, all_of, any_of, one_of
from auditctl.log.filter_values import ColumnValue, Reason

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, StringValue, Table

BEFORE, AFTER, CONTEXT = "old_values", "new_values", "context"
REASON, BASELINE = "reason", "baseline"

_LONGEST_PATTERN = 500
"""Longer texts are not made into patterns, which engines limit."""

_SPECIAL = re.compile(r"[\\.^$|()\[\]{}*+?]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_ASCII = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class _Value:
    """A value as the text of JSON has it behind its key.

    Attributes:
        text: The value, or how it begins.
        ending: A pattern of what follows; empty where nothing has to.
        is_whole: Whether `text` and `ending` are true of this value only.
    """

    text: str
    ending: str = ""
    is_whole: bool = True

    def may_be_in(self, document: StringValue, key: str) -> BooleanValue:
        """Return whether an object in a document, at any depth, may have it under a key."""
        needle = f"{jsonb_text.string(key)}: {self.text}"
        found = document.contains(needle)
        return _and_then(found, document.re_search(_pattern(needle) + self.ending)) if self.ending else found

    def is_in(self, document: StringValue, key: str) -> BooleanValue:
        """Return whether a document certainly has it under a key."""
        needle = f"{jsonb_text.string(key)}: {self.text}"
        if self.ending:
            found = document.re_search(f"[{{ ]{_pattern(needle)}{self.ending}")
        else:
            found = document.contains("{" + needle) | document.contains(" " + needle)
        return _and_then(found, document.re_search(FLAT))


def action(values: Sequence[Action]) -> ArchivePredicate:
    """Of one of the actions; an event of a baseline is stored as CREATE, and has a key in its context."""
    shown = frozenset(values)
    stored = list(dict.fromkeys("CREATE" if one is Action.BASELINE else str(one) for one in values))
    if len(shown & {Action.CREATE, Action.BASELINE}) != 1:
        return ArchivePredicate(lambda events: one_of(events.action, stored))
    is_baseline = Action.BASELINE in shown

    def expression(events: Table) -> BooleanValue:
        marked = (_Value("").may_be_in if is_baseline else _Value("").is_in)(events.context, BASELINE).fill_null(False)
        return one_of(events.action, stored) & ((events.action != "CREATE") | (marked if is_baseline else ~marked))

    def certain(events: Table) -> BooleanValue:
        marked = (_Value("").is_in if is_baseline else _Value("").may_be_in)(events.context, BASELINE).fill_null(False)
        return (events.action != "CREATE") | (marked if is_baseline else ~marked)

    def accepts(event: Mapping[str, Any]) -> bool:
        return event["action"] != "CREATE" or jsonb_text.has(event[CONTEXT], BASELINE) == is_baseline

    return ArchivePredicate(expression, certain, accepts, ("action", CONTEXT))


def column(values: Sequence[str]) -> ArchivePredicate:
    """An update that changed one of the columns."""
    names = list(dict.fromkeys(values))

    def expression(events: Table) -> BooleanValue:
        # Of an array, a string counts as well.
        return (events.action == "UPDATE") & any_of(
            events.new_values.contains(jsonb_text.string(name)) for name in names
        )

    return ArchivePredicate(
        expression,
        certain=lambda events: any_of(_Value("").is_in(events.new_values, name) for name in names).fill_null(False),
        accepts=lambda event: any(jsonb_text.has(event[AFTER], name) for name in names),
        columns=(AFTER,),
    )


def was(values: Sequence[ColumnValue]) -> ArchivePredicate:
    """With one of the values of each column before."""
    return _with_values(values, BEFORE)


def became(values: Sequence[ColumnValue]) -> ArchivePredicate:
    """With one of the values of each column after."""
    return _with_values(values, AFTER)


def changed(values: Sequence[ColumnValue]) -> ArchivePredicate:
    """With one of the values of each column before or after."""
    return _with_values(values, BEFORE, AFTER)


def context(values: Sequence[tuple[str, str]]) -> ArchivePredicate:
    """With one of the values of each key in its context, compared as text."""
    texts = _by_name(values)
    found = {name: [value for text in some for value in _written(text)] for name, some in texts.items()}

    def accepts(event: Mapping[str, Any]) -> bool:
        members = ((jsonb_text.member(event[CONTEXT], name), some) for name, some in texts.items())
        return all(jsonb_text.as_text(value) in some for value, some in members)

    return _in_documents(found, (CONTEXT,), accepts)


def reason(values: Sequence[Reason]) -> ArchivePredicate:
    """With this text in its reason, in upper or lower case."""
    text = values[0].text
    lowered = {is_ascii: _lower(text, is_ascii=is_ascii) for is_ascii in (False, True)}

    def accepts(event: Mapping[str, Any]) -> bool:
        recorded = jsonb_text.as_text(jsonb_text.member(event[CONTEXT], REASON))
        is_ascii = event["database"] in values[0].ascii_databases
        return recorded is not None and lowered[is_ascii] in _lower(recorded, is_ascii=is_ascii)

    def expression(events: Table) -> BooleanValue:
        # Engines agree on the lower case of ASCII alone.
        parts = sorted(_ASCII.findall(jsonb_text.string(text)[1:-1].lower()), key=len)
        named = events.context.contains(f"{jsonb_text.string(REASON)}: ")
        return _and_then(named, events.context.lower().contains(parts[-1])) if parts else named

    def certain(events: Table) -> BooleanValue:
        pattern = f'[{{ ]"{REASON}": "[^"\\\\]*{_any_case(jsonb_text.string(text)[1:-1])}'
        return _and_then(events.context.re_search(pattern), events.context.re_search(FLAT))

    is_short_ascii = text.isascii() and len(text) <= _LONGEST_PATTERN
    return ArchivePredicate(expression, certain if is_short_ascii else None, accepts, (CONTEXT, "database"))


def _with_values(values: Sequence[ColumnValue], *sides: str) -> ArchivePredicate:
    documents = _by_name((value.column, jsonb_text.canonical(one)) for value in values for one in value.documents)
    found = {name: [_recorded(document) for document in some] for name, some in documents.items()}

    def accepts(event: Mapping[str, Any]) -> bool:
        return all(
            any((value := jsonb_text.member(event[side], name)) and jsonb_text.normal(value) in some for side in sides)
            for name, some in documents.items()
        )

    return _in_documents(found, sides, accepts)


def _in_documents(
    found: Mapping[str, Sequence[_Value]], columns: Sequence[str], accepts: Callable[[Mapping[str, Any]], bool]
) -> ArchivePredicate:
    """Return the predicate for events that have one of the values of each name, in one of the columns."""
    whole = {name: [value for value in some if value.is_whole] for name, some in found.items()}

    def condition(values: Mapping[str, Sequence[_Value]], test: Callable[..., BooleanValue]) -> Expression:
        return lambda events: all_of(
            any_of(test(value, events[column], name) for value in some for column in columns)
            for name, some in values.items()
        )

    certain = condition(whole, _Value.is_in)
    return ArchivePredicate(
        condition(found, _Value.may_be_in),
        certain=(lambda events: certain(events).fill_null(False)) if all(whole.values()) else None,
        accepts=accepts,
        columns=tuple(columns),
    )


def _and_then(first: BooleanValue, second: BooleanValue) -> BooleanValue:
    """Return what is true where both are; never null. The second, which takes longer, is asked only of the first."""
    return first.ifelse(second, False)


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values of each name, once each."""
    by_name: dict[str, dict[str, None]] = {}
    for name, value in pairs:
        by_name.setdefault(name, {})[value] = None
    return {name: list(some) for name, some in by_name.items()}


def _recorded(document: str) -> _Value:
    """Return a canonical value as columns have it: numbers with any number of zeros at the end of a fraction."""
    if document[0] in "{[":
        has_number = jsonb_text.has_number(document)
        return _Value(document[0] if has_number else document, is_whole=False)
    if not _NUMBER.fullmatch(document):
        return _Value(document)
    if len(document) > _LONGEST_PATTERN:
        return _Value(document, is_whole=False)
    return _Value(document, "0*[,}]" if "." in document else r"(?:\.0+)?[,}]")


def _written(text: str) -> list[_Value]:
    """Return the values that have a text: the string, and what else is written like it."""
    values = [_Value(jsonb_text.string(text))]
    if text[:1] in ("{", "["):
        values.append(_Value(text, is_whole=False))
    elif text in ("true", "false"):
        values.append(_Value(text))
    elif _NUMBER.fullmatch(text):
        is_short = len(text) <= _LONGEST_PATTERN
        values.append(_Value(text, "[,}]" if is_short else "", is_whole=is_short))
    return values


def _lower(text: str, *, is_ascii: bool) -> str:
    """Return a text in lower case as the database has it, each character by itself, or letters of ASCII alone."""
    if text.isascii():
        return text.lower()
    return "".join(letter if is_ascii and letter > "\x7f" else _LOWER.get(letter) or letter.lower() for letter in text)


_LOWER = {"\u0130": "i"}
"""The one character whose lower case is two, where the rest of the text may say more."""


def _pattern(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def _any_case(text: str) -> str:
    return "".join(f"[{one.lower()}{one.upper()}]" if one.isalpha() else _pattern(one) for one in text)
