"""Looks names in filters up in the log and, where it does not know one, in its archived months.

The log itself knows the targets of all its months: auditctl.archived_month has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log.filter_values import User
from auditctl.log.keys import Spellings
from auditctl.log.known_names import DatabaseNames, KnownNames, Targets


class NamesEverywhere(DatabaseNames):
    """The names that the log or its archived months know.

    Args:
        conn: A connection of a reader.
        archived: Opens the names that the archived months know; they are asked only where that may tell more.
    """

    def __init__(self, conn: Connection, archived: Callable[[], AbstractContextManager[KnownNames]]) -> None:
        super().__init__(conn)
        self._archived = archived

    def find_key(self, key: str, targets: Targets) -> tuple[Spellings, ...]:
        """Return how targets spell a key."""
        try:
            found = super().find_key(key, targets)
        except UsageError:
            # Archived events may have it, of a time when the key had other types.
            with self._archived() as names:
                archived = names.find_key(key, targets)
            if not archived:
                raise
            return archived
        known = {(target, text) for group in found for target in group.targets for text in group.spellings}
        with self._archived() as names:
            more = names.find_key(key, targets)
        others = (
            group for group in more
            if not known.issuperset((target, text) for target in group.targets for text in group.spellings)
        )  # fmt: skip
        return (*found, *others)

    def find_user(self, user: User) -> User:
        """Return a user with the names that events have."""
        found = super().find_user(user)
        if found.is_known or user.name is None:
            return found
        with self._archived() as names:
            archived = names.find_user(user)
        return archived if archived.is_known else found

    def require_columns(self, columns: Sequence[str], targets: Targets) -> None:
        """Make sure that each column is, or was, in one of the tables."""
        for column in columns:
            try:
                super().require_columns([column], targets)
            except UsageError as error:
                with self._archived() as names:
                    try:
                        names.require_columns([column], targets)
                    except UsageError:
                        raise error from None
