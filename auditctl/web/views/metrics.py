"""`/metrics`: for Prometheus, with a token and a database login of its own; not there unless it was switched on."""

from __future__ import annotations

from secrets import compare_digest

from starlette.responses import PlainTextResponse, Response

from auditctl import database, place
from auditctl import metrics as metric_values
from auditctl.errors import AuditctlError
from auditctl.web.errors import NotFound
from auditctl.web.request import Visit

MEDIA_TYPE = "text/plain; version=0.0.4"


def metrics(visit: Visit) -> Response:
    """Return the metrics; without an answer of the database `auditctl_up 0` and what the page itself knows.

    Raises:
        NotFound: The page has no metrics.
    """
    settings = visit.app.settings
    if not (settings.metrics_dsn and settings.metrics_token):
        raise NotFound
    given = visit.request.headers.get("authorization", "")
    if not compare_digest(given.encode(), f"Bearer {settings.metrics_token}".encode()):
        return PlainTextResponse("a token is required\n", 401, headers={"WWW-Authenticate": "Bearer"})
    own = (metric_values.VISITORS, None, float(len(visit.app.sessions)))
    try:
        with database.connect_store(settings.metrics_dsn) as conn:
            conn.execute("select set_config('statement_timeout', %s, false)", [f"{settings.page_timeout.seconds}s"])
            place.require(conn)
            values = metric_values.read(conn)
    except AuditctlError:
        return PlainTextResponse(metric_values.render([("up", None, 0.0), own]), media_type=MEDIA_TYPE)
    return PlainTextResponse(metric_values.render([*values, own]), media_type=MEDIA_TYPE)
