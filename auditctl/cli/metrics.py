"""`auditctl metrics`: prints what monitoring asks for."""

from __future__ import annotations

import click

from auditctl import metrics as metric_values
from auditctl import place
from auditctl.cli.printing import print_text
from auditctl.cli.session import Session, pass_session


@click.command(short_help="Print metrics for Prometheus.")
@pass_session
def metrics(session: Session) -> None:
    """Print metrics as Prometheus text: events by day, size, the last maintain, check and doctor, and what was refused.

    Reads no event, however large the log is. A reader may run it, and a login that is a member of pg_monitor and may
    see nothing else of the log. The page serves the same at /metrics where --metrics-dsn switches that on.

    \b
    Examples:
      auditctl metrics
      cd /var/lib/node_exporter && auditctl metrics > auditctl.new && mv auditctl.new auditctl.prom
    """
    metric_values.require_library()
    with session.connect("Ask the DBA for: auditctl grant reader {login}; membership in pg_monitor is enough") as conn:
        place.require(conn)
        text = metric_values.render(metric_values.read(conn))
    print_text(text, end="")
