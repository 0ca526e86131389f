"""`auditctl log`, `show` and `history` of an archive, alone or together with the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditctl.cli import remarks
from auditctl.cli.archive_options import ArchiveChoice
from auditctl.cli.printing import print_events
from auditctl.cli.session import READER, Session
from auditctl.errors import UsageError
from auditctl.log import lookups
from auditctl.log.columns import DATABASE
from auditctl.log.filters import Filters
from auditctl.log.formats import Format, Layout
from auditctl.log.lookups import Recording
from auditctl.log.selection import Cursor, Selection
from auditctl.retention import erasure

if TYPE_CHECKING:
    from auditctl.archive.archive import Archive


@dataclass(frozen=True, slots=True)
class Shown:
    """How events are shown.

    Attributes:
        output_format: The format.
        layout: Where.
        is_safe: Whether cells must be safe for spreadsheets.
    """

    output_format: Format
    layout: Layout
    is_safe: bool

    def of_several(self, databases: Sequence[str]) -> Shown:
        """Return it with a column for the database, where there are several.

        Raises:
            UsageError: The format has no such column.
        """
        if len(databases) < 2 or self.layout.columns is not None:
            return self
        if not self.output_format.has_columns:
            raise UsageError(
                f"the format {self.output_format.name} does not say of which database an event is",
                hint=f"Choose one with --database: {', '.join(databases)}.",
            )
        return replace(self, layout=replace(self.layout, more=(DATABASE,)))


def print_log(
    session: Session, choice: ArchiveChoice, filters: Filters, shown: Shown, *, limit: int, after: str | None,
    is_verbose: bool,
) -> None:  # fmt: skip
    """Print a page, newest first.

    Raises:
        UsageError: A name is not known, the cursor is none, or the path or engine is not there.
        ArchiveError: A file is missing, or was altered.
        DatabaseError: The login may not read the log.
    """
    if choice.is_alone:
        _print_log_alone(session, choice, filters, shown, limit=limit, after=after)
        return
    from auditctl.archive import everywhere

    cursor = None if after is None else Cursor.parse(after)
    with session.connect(READER) as conn:
        access = choice.access()
        resolved = access.resolve(conn, filters)
        recorded = lookups.record(conn, lookups.of_search(resolved))
        with access.search(conn) as search:
            page = everywhere.MergedPage(
                conn, Selection(resolved.predicates(), after=cursor, limit=limit), resolved.archive_predicates(),
                shown.output_format.listed(shown.is_safe, shown.layout), search,
                shown.output_format.listed_texts(shown.is_safe, shown.layout), without=recorded.event_id,
            )  # fmt: skip
            print_events(shown.output_format, shown.output_format.write(page, shown.layout))
        said = remarks.read(conn, resolved, is_empty=not page.count, is_everywhere=True)
    say_obstacle(session, recorded)
    remarks.say(session, said, nothing="No events.", is_verbose=is_verbose)
    _say_following(session, page.following)


def _print_log_alone(
    session: Session, choice: ArchiveChoice, filters: Filters, shown: Shown, *, limit: int, after: str | None
) -> None:
    with choice.open() as search:
        from auditctl.archive import pages
        from auditctl.archive.names import ArchiveNames
        from auditctl.archive.search import ArchiveSelection

        names = ArchiveNames(search)
        databases = search.archive.databases
        shown = shown.of_several(databases)
        resolved = filters.resolve(names)
        position = None if after is None else pages.parse_cursor(after, databases)
        page = pages.ArchivePage(
            search, ArchiveSelection(resolved.archive_predicates(), after=position, limit=limit),
            shown.output_format.listed_texts(shown.is_safe, shown.layout),
        )  # fmt: skip
        print_events(shown.output_format, shown.output_format.write(page, shown.layout))
        if not page.count:
            say_nothing(session, "No events.", search.archive, resolved.suggest(names))
        for sentence in resolved.doubts(names):
            session.say(sentence)
    _say_following(session, page.following)


def print_event(session: Session, choice: ArchiveChoice, event_id: int, shown: Shown) -> None:
    """Print one event.

    Raises:
        NoSuchEvent: No event has the number.
        UsageError: Several databases have one, or the path or engine is not there.
        ArchiveError: A file is missing, or was altered.
        DatabaseError: The login may not read the log.
    """
    from auditctl.archive import everywhere, pages

    project = shown.output_format.projection_of_texts(shown.is_safe, shown.layout.columns)
    if choice.is_alone:
        with choice.open() as search:
            row = project(pages.event(search, event_id).texts)
        print_events(shown.output_format, shown.output_format.write_one(row, shown.layout))
        return
    with session.connect(READER) as conn:
        projection = shown.output_format.projection(shown.is_safe, shown.layout.columns)
        with choice.access().search(conn) as search:
            found = everywhere.event(conn, event_id, projection)
            if found is None:
                texts = pages.event(search, event_id).texts
                found = (texts["target_name"] or "", texts["target_id"], project(texts))
        target, target_id, row = found
        recorded = lookups.record(conn, lookups.of_event(event_id, target, target_id))
        erasures = erasure.read_erasures(conn, event_id)
    print_events(shown.output_format, shown.output_format.write_one(row, shown.layout))
    say_obstacle(session, recorded)
    for sentence in erasures:
        session.say(sentence)


def say_nothing(session: Session, message: str, archive: Archive, hint: str = "") -> None:
    """Say that an archive has no such events, and what may have been meant, or else what it has."""
    months = [one.key.month for one in archive.manifests]
    if months and not hint:
        hint = f"The archive {archive.name} has the months {months[0]} to {months[-1]}."
    remarks.say_nothing(session, message, hint)


def say_obstacle(session: Session, recorded: Recording) -> None:
    """Say why the log does not have that this was printed."""
    if recorded.obstacle:
        session.say(recorded.obstacle)


def _say_following(session: Session, following: str | None) -> None:
    if following is not None:
        session.say(f"More may follow: add --after {following}")
