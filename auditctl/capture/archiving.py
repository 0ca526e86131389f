"""Plans how to get to what [archive] in the file states (relation auditctl.archiving)."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from auditctl.actions import Action
from auditctl.archive.settings import Settings
from auditctl.capture.model import Statement
from auditctl.capture.plan import Change, ChangeKind

SECTION = "[archive]"
"""What a plan calls it."""


def changes(stored: Settings, wanted: Settings | None) -> Iterator[Change]:
    """Yield the change that makes the settings those that a file states; nothing where the file states none."""
    if wanted is None or stored == wanted:
        return
    statement = sql.SQL("select auditctl.set_archiving({}, {})").format(wanted.to, wanted.keep_hot)
    kind = ChangeKind.CREATE if stored == Settings() else ChangeKind.REPLACE
    if wanted == Settings():
        kind = ChangeKind.DROP
    run = Statement(statement.as_string(None), as_owner=True)
    yield Change(kind, SECTION, Action.EVENT, SECTION, _sentence(wanted), (run,), records_itself=True, is_setting=True)


def _sentence(wanted: Settings) -> str:
    if wanted == Settings():
        return "The file states nothing about archives."
    where = f"to {wanted.to}" if wanted.to is not None else "where one was archived last"
    which = f"that ended more than {wanted.keep_hot} ago" if wanted.keep_hot is not None else "that are over"
    return f"Months {which} are archived {where}."
