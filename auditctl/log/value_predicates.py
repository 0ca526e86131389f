"""Translates filters on what was recorded of an event: values, reason and context.

Of one key or column, one of the values has to be there; of several, a value of each. If `auditctl maintain
--index-values` has indexed a month, or its past hours, an index leads to the events: it answers `@>`, and which have a
reason. Elsewhere, these are the cheapest ways to compare. The summary of the log's blocks has the requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import LiteralString

from psycopg.sql import SQL, Composable, Literal

from auditctl.log.filter_values import ColumnValue, Reason, json_values
from auditctl.log.predicates import Predicate
from auditctl.log.sql_lists import any_of, literals

REQUEST = "request_id"
"""The key of the context that the summary has."""

_COLUMNS: LiteralString = (
    "(case when action = 'UPDATE'"
    " then pg_catalog.jsonb_path_query_array(new_values, '$.keyvalue().key', '{}', true) end)"
)
"""The names of an update's columns, as the index of a month's values has them."""

_HAS_REASON: LiteralString = (
    "pg_catalog.jsonb_path_query_array(context, '$.keyvalue().key ? (@ == \"reason\")', '{}', true) ? 'reason'"
)
"""Whether there is a reason, as the index of a month's values has it."""


def column(values: Sequence[str]) -> Predicate:
    """An update that changed one of the columns."""
    names = literals(values)
    return Predicate(
        SQL("(action = 'UPDATE' and new_values ?| array[{}])").format(names),
        by_index=SQL("{} ?| array[{}]").format(SQL(_COLUMNS), names),
    )


def recorded(name: str) -> Predicate:
    """With this column, or a value of this name."""
    return Predicate(SQL("(new_values ? {0} or old_values ? {0})").format(Literal(name)))


def reason(values: Sequence[Reason]) -> Predicate:
    """With this text in its reason, in upper or lower case."""
    text = values[0].text
    contains = SQL("pg_catalog.strpos(pg_catalog.lower(reason), pg_catalog.lower({})) > 0").format(Literal(text))
    return Predicate(SQL("(context ? 'reason' and {})").format(contains), by_index=SQL(_HAS_REASON))


def context(values: Sequence[tuple[str, str]]) -> Predicate:
    """With one of the values of each key in its context."""
    pairs = list(dict.fromkeys(values))
    requests = [
        SQL('(context ->> {}) collate pg_catalog."C" = {}').format(Literal(REQUEST), Literal(value))
        for name, value in pairs
        if name == REQUEST
    ]
    return Predicate(
        _each((name, _in_context(name, value)) for name, value in pairs), summary=any_of(requests) if requests else None
    )


def was(values: Sequence[ColumnValue]) -> Predicate:
    """With one of the values of each column before."""
    return Predicate(_each((value.column, _has(value, "old_values")) for value in values))


def became(values: Sequence[ColumnValue]) -> Predicate:
    """With one of the values of each column after."""
    return Predicate(_each((value.column, _has(value, "new_values")) for value in values))


def changed(values: Sequence[ColumnValue]) -> Predicate:
    """With one of the values of each column before or after."""
    return Predicate(
        _each((value.column, _has(value, side)) for value in values for side in ("old_values", "new_values"))
    )


def _has(value: ColumnValue, side: LiteralString) -> Composable:
    return any_of([_equals(side, value.column, document) for document in value.documents])


def _equals(side: LiteralString, name: str, document: str) -> Composable:
    contained = _contains(side, name, document)
    if document.lstrip()[:1] not in ("{", "["):
        return contained
    # Objects and arrays contain others than themselves.
    whole = SQL("{} -> {} = {}::jsonb").format(SQL(side), Literal(name), Literal(document))
    return SQL("({} and {})").format(contained, whole)


def _in_context(name: str, value: str) -> Composable:
    """Compare a value of the context as text; a number, for example, has the text that it was written with."""
    as_text = SQL("context ->> {} = {}").format(Literal(name), Literal(value))
    documents = json_values(value)
    if documents is None:
        return as_text
    contained = any_of([_contains("context", name, document) for document in documents])
    return contained if len(documents) == 1 else SQL("({} and {})").format(contained, as_text)


def _contains(side: LiteralString, name: str, document: str) -> Composable:
    whole = f"{{{json.dumps(name, ensure_ascii=False)}: {document}}}"
    return SQL("{} @> {}::jsonb").format(SQL(side), Literal(whole))


def _each(conditions: Iterable[tuple[str, Composable]]) -> Composable:
    """Require, for each name, at least one of its conditions."""
    by_name: dict[str, list[Composable]] = {}
    for name, condition in conditions:
        by_name.setdefault(name, []).append(condition)
    return SQL(" and ").join(some[0] if len(some) == 1 else any_of(some) for some in by_name.values())
