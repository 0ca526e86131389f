"""`/suggest`: users whose name starts with a prefix, for the filter's field."""

from __future__ import annotations

from starlette.responses import Response

from auditctl.log import user_names
from auditctl.log.filters import FILTERS
from auditctl.web.request import Visit

PARAMETERS = frozenset(row.name for row in FILTERS if row.field.suggestions == "users")
LIMIT = 20
_MAX_PREFIX = 200
"""Characters; there are no suggestions for a longer prefix."""


def suggest(visit: Visit) -> Response:
    """Return the options of a datalist."""
    prefix = next((visit.one(visit.parameters, name) for name in PARAMETERS & set(visit.parameters)), "")
    names: list[str] = []
    if len(prefix) <= _MAX_PREFIX and "\0" not in prefix:
        with visit.connection() as conn:
            names = user_names.suggest(conn, prefix, LIMIT)
    return visit.page("suggest_part.html", names=names)
