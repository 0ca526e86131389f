"""Records what a page is about to show of the log, under the visitor's login."""

from __future__ import annotations

from auditctl.database import Connection
from auditctl.log import lookups
from auditctl.log.lookups import Lookup
from auditctl.web.request import Visit


def look(visit: Visit, conn: Connection, lookup: Lookup) -> int | None:
    """Record a look-up; return its event, None if it was recorded before or cannot be, which the page then says.

    A live page refreshes itself. That is recorded only if the visitor has not looked at the same in this session, for
    anybody can send such a request.

    Raises:
        UsageError: It is too long to be recorded.
        DatabaseError: It cannot be recorded for another reason than that the server is read-only, or the login may not.
    """
    visit.has_looked = True
    if visit.is_automatic and visit.signed_in.has_seen(lookup.identity):
        return None
    recorded = lookups.record(conn, lookup)
    visit.signed_in.note_seen(lookup.identity)
    visit.unrecorded = recorded.obstacle
    return recorded.event_id
