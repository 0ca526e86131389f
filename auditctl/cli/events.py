"""`auditctl events`: lists the types of business events."""

from __future__ import annotations

import click

from auditctl.capture import event_types
from auditctl.cli.options import table_or_json
from auditctl.cli.printing import print_json
from auditctl.cli.session import READER, Session, pass_session
from auditctl.names import OWN_EVENT_TYPES


@click.command(short_help="List the business events and whether they are recorded.")
@table_or_json("How to print them.")
@pass_session
def events(session: Session, output: str) -> None:
    """List the types of business events: those in the configuration, and those that were recorded.

    Of auditctl's own events it lists those that the configuration can switch off: who looks at the log, and who signs
    in to the page.

    State is on or off. "Stated as" names the type that decides it, which may be a glob; it is empty if no type
    does, and then events are recorded. The events themselves are in auditctl log.
    """
    with session.connect(READER) as conn:
        statuses = event_types.status(conn)
    if output == "json":
        rows = [
            {
                "event": row.name,
                "label": row.label,
                "state": _state(row),
                "stated_as": row.decided_by,
                "set_by": row.set_by,
                "set_at": row.set_at,
            }
            for row in statuses
        ]
        print_json(rows)
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    cells = [[row.name, row.label or "", _state(row), row.decided_by or "", row.set_by or ""] for row in statuses]
    print_table(["Event", "Label", "State", "Stated as", "Set by"], cells)
    if all(row.name in OWN_EVENT_TYPES for row in statuses):
        session.say("No business event was recorded or configured yet. Next: auditctl record TARGET ID SUMMARY")


def _state(row: event_types.EventStatus) -> str:
    return "on" if row.enabled else "off"
