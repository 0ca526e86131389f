"""What a filter means in SQL, and how events that satisfy it are found.

The log has a summary of its blocks (auditctl.event_summary_idx): which logins, tables and actions occur in each 128 of
them. It answers at once that there is nothing, but where there is something it leads to thousands of events for each
that is wanted, and the planner does not know that. So it is asked by conditions of its own, which no other index
answers: the same comparison in the collation "C", or of a hash.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.sql import SQL, Composable, Composed


class Part(Composed):
    """The meaning of one filter: as SQL, what it means, and beside it, how to find it.

    Attributes:
        is_time: Whether it means a range of time, as the windows of the search are.
        is_indexed: Whether an index leads to these events and no others.
        summary: What the summary answers, true of each of these events; None if it cannot.
        summarized: The same meaning, so that the summary leads to it.
        options: What it is the disjunction of; none where it is one thing.
    """

    def __init__(
        self,
        meaning: Composable,
        *,
        is_time: bool = False,
        is_indexed: bool = False,
        summary: Composable | None = None,
        summarized: Composable | None = None,
        options: Sequence[Part] = (),
    ) -> None:
        """Take the meaning, and what is known of how to find it."""
        super().__init__([meaning])
        self.is_time = is_time
        self.is_indexed = is_indexed
        self.summary = summary
        self.summarized = summarized or meaning
        self.options = tuple(options)


def any_of(options: Sequence[Part]) -> Part:
    """Return the disjunction of some parts, at least one: found by an index only if each is."""
    if len(options) == 1:
        return options[0]
    return Part(
        _or(options),
        is_indexed=all(option.is_indexed for option in options),
        summarized=_or([option.summarized for option in options]),
        options=options,
    )


def _or(conditions: Sequence[Composable]) -> Composable:
    return SQL("({})").format(SQL(" or ").join(conditions))


class Condition(Composed):
    """What all filters mean together.

    Attributes:
        parts: One for each filter.
    """

    def __init__(self, parts: Sequence[Composable]) -> None:
        """Take the filters' meanings; without any, everything is meant."""
        super().__init__([SQL(" and ").join(parts) if parts else SQL("true")])
        self.parts = tuple(part if isinstance(part, Part) else Part(part) for part in parts)


def parts_of(condition: Composable) -> tuple[Part, ...]:
    """Return the parts of a condition; none of what is no condition of filters."""
    return condition.parts if isinstance(condition, Condition) else ()


def best(parts: Sequence[Part]) -> Composable:
    """Return the conjunction of the parts: so that the summary leads there, unless another index does."""
    if sum(not part.is_time for part in parts) > 1 and any(part.is_indexed for part in parts):
        return Condition(parts)
    return Condition([part.summarized for part in parts])
