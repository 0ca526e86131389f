"""`/doctor`: problems that weaken the log's promises on this server, each with its remedy. Changes nothing."""

from __future__ import annotations

import time
from collections import Counter

from starlette.responses import Response

from auditctl.doctor.examine import examine
from auditctl.doctor.model import Severity
from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit

PARAMETERS = frozenset({"severity", "only"})


def doctor(visit: Visit) -> Response:
    """Examine the server and show the findings, the most severe first."""
    text = visit.one(visit.parameters, "severity", Severity.NOTICE)
    if text not in list(Severity):
        raise BadRequest(f"{in_quotes(text)} is not a severity.", hint=f"Severities: {', '.join(Severity)}.")
    only = visit.one(visit.parameters, "only", "").strip()
    started = time.monotonic()
    with visit.connection() as conn:
        examined = examine(conn, only=(only,) if only else ())
    seconds = time.monotonic() - started
    shown = list(Severity)[: list(Severity).index(Severity(text)) + 1]
    return visit.page(
        "doctor.html",
        findings=[finding for finding in examined.findings if finding.severity in shown],
        counts=Counter(finding.severity for finding in examined.findings),
        severities=list(Severity),
        least=text,
        only=only,
        accepted=[one for one in examined.accepted if one.finding.severity in shown],
        unseen=examined.unseen,
        seconds=seconds,
    )
