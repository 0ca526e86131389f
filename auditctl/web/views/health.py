"""`/healthz`: for load balancers and supervisors; reveals nothing of the log."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from auditctl import database
from auditctl.web.auth import password
from auditctl.web.request import Visit


def health(visit: Visit) -> Response:
    """Return 200 `ok` if the database accepts connections, else 503."""
    if database.answers(password.base(visit.app.settings)):
        return PlainTextResponse("ok\n")
    return PlainTextResponse("the database does not answer\n", 503)
