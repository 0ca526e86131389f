"""Pages of archived events, and the cursors between them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from auditctl.archive.search import ArchiveSelection, Search
from auditctl.archive.texts import ArchivedEvent, Position, time_text
from auditctl.errors import UsageError
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.event_texts import Project
from auditctl.log.formats.format import Row
from auditctl.log.reader import no_such_event
from auditctl.log.selection import Cursor
from auditctl.text import in_quotes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WITH_DATABASE = re.compile(r"([^/]*/[^/]*)/([^/]+)")


def position_of(cursor: Cursor, database: str = "") -> Position:
    """Return the position of a cursor."""
    return (cursor.created_on - _EPOCH) // _MICROSECOND, cursor.event_id, database


def cursor_text(position: Position, databases: Sequence[str]) -> str:
    """Return the cursor of a position, which names the database where there are several."""
    text = f"{time_text(int(position[0]))}/{position[1]}"
    return f"{text}/{quote(position[2], safe='')}" if len(databases) > 1 else text


def parse_cursor(text: str, databases: Sequence[str]) -> Position:
    """Parse what `cursor_text` returns.

    Raises:
        UsageError: It is not a cursor, or does not name one of several databases.
    """
    match = _WITH_DATABASE.fullmatch(text)
    if match is None and len(databases) > 1:
        raise UsageError(
            f"the cursor {in_quotes(text)} names no database, and the archive has several",
            hint="Copy it from the last message of this command, or choose a database with --database.",
        )
    if match is None:
        return position_of(Cursor.parse(text), next(iter(databases), ""))
    return position_of(Cursor.parse(match[1]), unquote(match[2]))


@dataclass(slots=True, kw_only=True)
class ReadPage(ABC):
    """A page that is read; iterating over it, once, reads it in constant memory.

    Attributes:
        following: After the iteration: the cursor of the next page; None where no more events follow.
        count: The number of events read so far.
        first_event_id: The number of the first of them.
        last_event_id: The number of the last of them.
    """

    following: str | None = None
    count: int = 0
    first_event_id: int | None = None
    last_event_id: int | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""

    def _counted(
        self, events: Iterable[tuple[Position, Row]], limit: int | None, databases: Sequence[str] = ()
    ) -> Iterator[Row]:
        """Yield the rows of the page; one more event than it holds shows that others follow."""
        last: Position | None = None
        for position, row in events:
            if self.count == limit and last is not None:
                self.following = cursor_text(last, databases)
                return
            self.count += 1
            last = position
            self.first_event_id, self.last_event_id = self.first_event_id or last[1], last[1]
            yield row


@dataclass(slots=True)
class ArchivePage(ReadPage):
    """A part of an archive.

    Attributes:
        search: The archive.
        selection: Which events; the limit is the length of the page.
        project: What is shown of each.
        keep: Returns the events that belong to the page, in their order; None for all.
    """

    search: Search
    selection: ArchiveSelection
    project: Project
    keep: Callable[[Iterable[ArchivedEvent]], Iterable[ArchivedEvent]] | None = None

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            ArchiveError: A file is missing, was altered, or cannot be read.
        """
        limit = self.selection.limit
        selection = replace(self.selection, limit=None if limit is None else limit + 1)
        found: Iterable[ArchivedEvent] = self.search.events(selection)
        chosen = found if self.keep is None else self.keep(found)
        rows = ((event.position, self.project(event.texts)) for event in chosen)
        yield from self._counted(rows, limit, self.search.archive.databases)


def event(search: Search, event_id: int) -> ArchivedEvent:
    """Return one event.

    Raises:
        NoSuchEvent: The archive has no event with that number.
        UsageError: Several databases have one.
        ArchiveError: A file is missing, was altered, or cannot be read.
    """
    some = search.archive.only(
        lambda one: one.first_event_id is not None and one.first_event_id <= event_id <= (one.last_event_id or 0)
    )
    numbered = ArchivePredicate(lambda events: events.event_id == event_id)
    found = list(replace(search, archive=some).events(ArchiveSelection((numbered,))))
    if len(found) > 1:
        names = ", ".join(sorted(one.position[2] for one in found))
        raise UsageError(
            f"several databases of the archive have an event {event_id}", hint=f"Choose with --database: {names}."
        )
    if not found:
        raise no_such_event(event_id, archive=search.archive.name)
    return found[0]
