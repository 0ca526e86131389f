"""Why somebody changes something: a text that the session's events carry in their context."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log.filter_values import require_storable
from auditctl.text import has_visible

MAX_CHARACTERS = 2000


def require_reason(text: str) -> None:
    """Raise UsageError for a text that cannot be recorded as a reason, or says nothing."""
    require_storable("reason", text)
    if not has_visible(text):
        raise UsageError("the reason has no visible character", hint="Give the number of a ticket, for example.")
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"the reason has {len(text):,} characters, more than {MAX_CHARACTERS:,}")


def context(text: str) -> str:
    """Return the value of the setting auditctl.context that states a reason."""
    return json.dumps({"reason": text}, ensure_ascii=False)


@contextmanager
def stated(conn: Connection, reason: str | None) -> Iterator[None]:
    """State a reason for what the block changes (setting auditctl.context); None for no reason."""
    if reason is None:
        yield
        return
    query = "select pg_catalog.set_config('auditctl.context', %s, false)"
    conn.execute(query, [context(reason)])
    try:
        yield
    finally:
        if database.is_at_rest(conn):
            conn.execute(query, [""])
