"""Reads what the log has about the configuration, newest first, and says each in a sentence.

Sources: queries/config_history.sql, and the names that its events are about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from auditctl import globs, resources, table_names
from auditctl.capture import change_sentences
from auditctl.capture.change_sentences import SUBJECTS, Labels
from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.log import target_names
from auditctl.log.filter_values import require_storable
from auditctl.log.selection import Cursor
from auditctl.log.target_names import KnownTarget

_OF_TARGETS = ("auditctl.rule", "auditctl.event_type", "auditctl.retention")
"""Those whose events name what they are about in target_id."""

_NAMES = """
    select distinct event.target, event.target_id, event.target_id
      from auditctl.event as event
     where event.target = any (%s)
     union
    select 'auditctl.hold', hold.hold_id::text, hold.target from auditctl.hold as hold
"""


@dataclass(frozen=True, slots=True)
class ConfigEvent:
    """An event about the configuration, as the log has it."""

    event_id: int
    at: datetime
    actor_kind: str
    actor: str | None
    db_user: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None

    @property
    def who(self) -> str:
        """The login that changed it; of an application, the user that it named, with the login."""
        return f"{self.actor} (as {self.db_user})" if self.actor_kind == "application" else self.db_user

    def sentence(self, labels: Labels) -> str:
        """Return what was changed, by whom, without a full stop."""
        said = change_sentences.sentences(self.subject, self.before, self.after, labels)
        return f"{self.who} {'; '.join(said)}"


@dataclass(frozen=True, slots=True)
class ConfigHistory:
    """A page of the configuration's history.

    Attributes:
        events: Each with its sentence, newest first.
        following: The cursor of the page with older events; None if there are none.
    """

    events: tuple[tuple[ConfigEvent, str], ...]
    following: Cursor | None


def read(conn: Connection, target: str = "", before: Cursor | None = None, limit: int = 100) -> ConfigHistory:
    """Return a page of the configuration's history.

    Args:
        conn: The connection.
        target: The table, label or glob, or the target of a business event, that the changes are about, also through
            globs that match it; empty for all changes, those of roles and settings included.
        before: The event before which to look; None for the newest.
        limit: The most events.

    Raises:
        UsageError: The target holds a character that no name has.
        DatabaseError: The login may not read the log.
    """
    require_storable("target", target, may_be_empty=True)
    with read_transaction(conn):
        known = target_names.read(conn)
        names = _names(conn, _meant(target, known)) if target else None
        parameters = {
            "subjects": list(SUBJECTS), "names": None if names is None else Jsonb(names),
            "at": before and before.created_on, "event_id": before and before.event_id, "limit": limit + 1,
        }  # fmt: skip
        query = resources.sql_text("queries/config_history.sql").encode()
        events = conn.cursor(row_factory=class_row(ConfigEvent)).execute(query, parameters).fetchall()
    labels = {one.name: one.label for one in known if one.label}
    shown = events[:limit]
    following = Cursor(shown[-1].at, shown[-1].event_id) if len(events) > limit else None
    return ConfigHistory(tuple((event, event.sentence(labels)) for event in shown), following)


def _meant(text: str, known: list[KnownTarget]) -> set[str]:
    """Return the targets that a text means, and the text itself: rules may be about tables yet to come."""
    names = {table_names.canonical(text)}
    with suppress(UsageError):
        names |= set(target_names.resolve(text, known))
    return names


def _names(conn: Connection, wanted: Collection[str]) -> dict[str, list[str]]:
    """Return the ids of events about some targets, by the events' own target."""
    found: dict[str, list[str]] = defaultdict(list)
    for subject, target_id, name in conn.execute(_NAMES, [list(_OF_TARGETS)]):
        if name is not None and any(globs.overlap(one, name) for one in wanted):
            found[subject].append(target_id)
    return dict(found)
