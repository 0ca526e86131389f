"""`/config/add`: asks what to record: the changes of a table, or the business events of a target. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from starlette.responses import RedirectResponse, Response

from auditctl import actions
from auditctl.actions import Action
from auditctl.capture import event_types, table_status
from auditctl.database import Connection
from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit
from auditctl.web.views.config import request

PARAMETERS = frozenset({"type", "table", "event", "action"})
TYPES = ("table", "event")
_SUGGESTED = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """What was entered.

    Attributes:
        type: Whether it is a table, or the target of a business event.
        table: The table or glob.
        event: The target of the business event.
        actions: What to record of the table; empty for the usual actions.
    """

    type: Literal["table", "event"] = "table"
    table: str = ""
    event: str = ""
    actions: tuple[Action, ...] = ()


def add(visit: Visit) -> Response:
    """Show the form; lead on to that of the table or the business event once one is named."""
    parameters = visit.parameters
    kind = visit.one(parameters, "type", "")
    if kind not in ("", *TYPES):
        raise BadRequest(f"{in_quotes(kind)} is not a type.", hint="Types: table, event.")
    table, event = (visit.one(parameters, name, "").strip() for name in TYPES)
    chosen = request.parse_actions(parameters.get("action", ()))
    if kind == "table" and table:
        names = [action.lower() for action in chosen]
        return RedirectResponse(visit.url("/config/table", {"table": [table], "action": names}), 303)
    if kind == "event" and event:
        return RedirectResponse(visit.url("/config/event", {"target": [event]}), 303)
    target = Target("event" if kind == "event" else "table", table, event, chosen)
    with visit.connection() as conn:
        return again(visit, conn, target, ["Target: name one"] if kind else [])


def again(visit: Visit, conn: Connection, target: Target, problems: Sequence[str]) -> Response:
    """Show the form with what was entered, and why that cannot be done; suggest what is not recorded yet."""
    tables = [row.table for row in table_status.read(conn, include_unaudited=True) if row.state == "unaudited"]
    stated = event_types.status(conn)
    return visit.page(
        "config_add.html",
        422 if problems else 200,
        target=target,
        problems=problems,
        tables=tables[:_SUGGESTED],
        events=[one.name for one in stated[:_SUGGESTED]],
        every_action=tuple(actions.OPTIONS.values()),
        chosen=target.actions or actions.DEFAULT,
    )
