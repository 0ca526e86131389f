"""How many bytes an event takes, with all indexes."""

from __future__ import annotations

from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench.bed import beds
from bench.contenders import AUDIT_ROW, AUDITCTL, FLOOR, PGHISTORY
from bench.subject import NARROW, STATEMENTS


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Write events in a loop into an empty log, and divide its size by their number; no noise, so one round."""
    events = 5_000 if quick else 100_000
    figures: dict[str, dict[str, float]] = {statement: {} for statement in STATEMENTS}
    with beds(server, [FLOOR, AUDITCTL, AUDIT_ROW, PGHISTORY], [NARROW]) as made:
        for name, bed in made.items():
            for statement in STATEMENTS:
                if statement != "insert":
                    bed.fill(NARROW, events)
                bed.run(NARROW.loop(statement, events), events)
                bed.require(events)
                figures[statement][name] = round(bed.bytes() / events, 1)
                bed.empty()
    return {"events": events, "bytes_per_event": figures}
