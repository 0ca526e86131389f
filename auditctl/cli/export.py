"""`auditctl export`."""

from __future__ import annotations

import sys

import click

from auditctl import output
from auditctl.cli import progress
from auditctl.cli.filter_options import filter_options
from auditctl.cli.log import raw_option, until_nobody_reads
from auditctl.cli.session import READER, Session, pass_session
from auditctl.log.export import Request
from auditctl.log.export import export as export_log
from auditctl.log.filters import Filters
from auditctl.log.formats import EXPORTS
from auditctl.log.selection import Order

BY_NAME = {form.name: form for form in EXPORTS}


@click.command()
@filter_options
@click.option(
    "--format", "form", type=click.Choice(list(BY_NAME)), default=EXPORTS[0].name,
    help=f"{', '.join(f'{form.name} ({form.help})' for form in EXPORTS)}. Default: {EXPORTS[0].name}.",
)  # fmt: skip
@click.option(
    "--output", "-o", "path", metavar="FILE", default=output.STANDARD,
    help="Write this file, which appears when it is complete; - is standard output, the default.",
)  # fmt: skip
@click.option(
    "--order", type=click.Choice([str(some) for some in Order]), default="asc", help="Oldest (asc) or newest first."
)
@raw_option
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@pass_session
def export(session: Session, *, filters: Filters, form: str, path: str, order: str, raw: bool, force: bool) -> None:
    """Export the log as CSV or JSON Lines, oldest first.

    Streams, however many events there are. The export is recorded in the log itself. In CSV a cell that a spreadsheet
    would take for a formula gets an apostrophe in front, unless --raw is given.

    \b
    Examples:
      auditctl export --output log.csv
      auditctl export --since 2026-11-01 --until 2026-12-01 --target 'billing.*' --output november.csv
      auditctl export --format jsonl --user alice | gzip > alice.jsonl.gz
    """
    request = Request(filters, BY_NAME[form], Order(order), raw)
    with (
        until_nobody_reads(),
        output.destination(path, stdout=sys.stdout.fileno(), force=force) as sink,
        session.connect(READER) as conn,
        progress.counter(session, "events") as show,
    ):
        done = export_log(conn, request, sink, lambda events, size: show(events, f"{size / 1e6:,.1f} MB"))
    if done.event_id is None:
        click.echo("warning: the server is read-only, so that this export is not recorded in the log", err=True)
    session.say(f"Exported {done.events:,} events, {done.size:,} bytes{_to(path)}.")


def _to(path: str) -> str:
    return "" if path == output.STANDARD else f", to {path}"
