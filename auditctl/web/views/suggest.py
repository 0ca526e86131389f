"""`/suggest`: what the filter user may be, for what has been typed so far."""

from __future__ import annotations

from starlette.responses import Response

from auditctl.log import user_names
from auditctl.web.request import Visit

PARAMETERS = frozenset({"user"})
LIMIT = 20
_LONGEST = 200
"""Characters of a name; whoever typed more needs no suggestion."""


def suggest(visit: Visit) -> Response:
    """Return options for a list of data."""
    prefix = visit.one(visit.parameters, "user", "")
    names: list[str] = []
    if len(prefix) <= _LONGEST and "\0" not in prefix:
        with visit.connection() as conn:
            names = user_names.suggest(conn, prefix, LIMIT)
    return visit.page("suggest_part.html", names=names)
