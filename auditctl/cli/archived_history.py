"""`auditctl history` of an archive, alone or together with the log."""

from __future__ import annotations

from functools import partial

from auditctl.cli import remarks
from auditctl.cli.archive_options import ArchiveChoice
from auditctl.cli.archived import Shown, say_nothing, say_obstacle
from auditctl.cli.printing import print_events
from auditctl.cli.session import READER, Session
from auditctl.log import lookups, reader
from auditctl.log.filters import Filters
from auditctl.log.keys import Key
from auditctl.log.selection import Order


def print_history(session: Session, choice: ArchiveChoice, table: str, key: str, shown: Shown, order: Order) -> None:
    """Print the history of an object.

    Raises:
        UsageError: The table is not known, the key cannot be one, or the archive has several databases.
        ArchiveError: A file is missing, or was altered.
        DatabaseError: The login may not read the log.
    """
    if choice.is_alone:
        _print_alone(session, choice, table, key, shown, order)
        return
    access = choice.access()
    from auditctl.archive import history

    with session.connect(READER) as conn:
        target = reader.target_of(conn, table, key)
        recorded = lookups.record(conn, lookups.of_history(target, key))
        with access.search(conn) as search:
            page = history.page(
                conn, search, history.of_log(conn, search, target, key), history.Stretch(order),
                shown.output_format.listed(shown.is_safe, shown.layout),
                shown.output_format.listed_texts(shown.is_safe, shown.layout),
            )  # fmt: skip
            print_events(shown.output_format, shown.output_format.write(page, shown.layout))
        hint = "" if page.count else reader.suggest(conn, target, key)
    say_obstacle(session, recorded)
    if not page.count:
        remarks.say_nothing(session, _nothing(table, key), hint)


def _print_alone(session: Session, choice: ArchiveChoice, table: str, key: str, shown: Shown, order: Order) -> None:
    with choice.open() as search:
        from auditctl.archive import history, names, pages
        from auditctl.archive.search import ArchiveSelection

        search.archive.require_one_database()
        target = names.ArchiveNames(search).find_target(table)
        renames = history.renames_of(
            (rename.renamed_at, rename.old_target, rename.new_target)
            for one in search.archive.newest.values()
            for rename in one.renames
        )
        filters = names.resolve(Filters.parse({"target": [target], "id": [key]}), search)
        life = history.of_archive(search, target, _spellings(filters.values["id"]), renames)
        page = pages.ArchivePage(
            search, ArchiveSelection((life.archived(),), order),
            shown.output_format.listed_texts(shown.is_safe, shown.layout),
            keep=partial(history.without_repeated_ends, action_of=history.action_of, order=order),
        )  # fmt: skip
        print_events(shown.output_format, shown.output_format.write(page, shown.layout))
        if not page.count:
            say_nothing(session, _nothing(table, key), search.archive)


def _spellings(keys: tuple[Key, ...]) -> list[str]:
    texts = [text for key in keys for group in key.groups for text in group.spellings]
    return list(dict.fromkeys(texts or [key.text for key in keys]))


def _nothing(table: str, key: str) -> str:
    return f"No events of {table} {key or '(an empty key)'}."
