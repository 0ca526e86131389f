"""`auditctl export`: writes the filtered log to a file or standard output."""

from __future__ import annotations

import sys

import click

from auditctl import output
from auditctl.cli import progress
from auditctl.cli.filter_options import filter_options
from auditctl.cli.log import ignoring_broken_pipe, raw_option
from auditctl.cli.session import READER, Session, pass_session
from auditctl.log.export import ExportRequest
from auditctl.log.export import export as export_log
from auditctl.log.filters import Filters
from auditctl.log.formats import BY_NAME, EXPORTS
from auditctl.log.selection import Order


@click.command()
@filter_options
@click.option(
    "--format", "format_name", type=click.Choice([row.name for row in EXPORTS]), default=EXPORTS[0].name,
    help=f"Output format: {', '.join(f'{row.name} ({row.help})' for row in EXPORTS)}. Default: {EXPORTS[0].name}.",
)  # fmt: skip
@click.option(
    "--output", "-o", "path", metavar="FILE", default=output.STANDARD,
    help="Write this file, which appears when it is complete; - is standard output, the default.",
)  # fmt: skip
@click.option(
    "--order", type=click.Choice([str(order) for order in Order]), default="asc", help="Oldest (asc) or newest first."
)
@raw_option
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@pass_session
def export(
    session: Session, *, filters: Filters, format_name: str, path: str, order: str, raw: bool, force: bool
) -> None:
    """Export the log as CSV or JSON Lines, oldest first.

    Streams, however many events there are. The export is recorded in the log itself. In CSV a cell that a spreadsheet
    would take for a formula gets an apostrophe in front, unless --raw is given.

    \b
    Examples:
      auditctl export --output log.csv
      auditctl export --since 2026-11-01 --until 2026-12-01 --target 'billing.*' --output november.csv
      auditctl export --format jsonl --user alice | gzip > alice.jsonl.gz
    """
    request = ExportRequest(filters, BY_NAME[format_name], Order(order), raw)
    with (
        ignoring_broken_pipe(),
        output.destination(path, stdout=sys.stdout.fileno(), force=force) as sink,
        session.connect(READER) as conn,
        progress.counter(session, "events") as show,
    ):
        result = export_log(conn, request, sink, lambda events, size: show(events, f"{size / 1e6:,.1f} MB"))
    if result.event_id is None:
        click.echo("warning: the server is read-only, so this export is not recorded in the log", err=True)
    session.say(f"Exported {result.events:,} events, {result.size:,} bytes{_to(path)}.")


def _to(path: str) -> str:
    return "" if path == output.STANDARD else f", to {path}"
