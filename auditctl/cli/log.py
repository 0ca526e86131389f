"""`auditctl log`, `show` and `history`: print events."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
from psycopg.sql import SQL

from auditctl import clock
from auditctl.cli import archived, archived_history, remarks
from auditctl.cli.archive_options import ArchiveChoice, archive_options
from auditctl.cli.archived import Shown, say_obstacle
from auditctl.cli.filter_options import clock_option, filter_options
from auditctl.cli.known_values import TARGETS, Values, complete
from auditctl.cli.printing import print_events, uses_color
from auditctl.cli.session import READER, Session, pass_session
from auditctl.cli.transactions import print_transactions
from auditctl.clock import Clock
from auditctl.log import columns as log_columns
from auditctl.log import lookups, reader
from auditctl.log.columns import COLUMNS, DATABASE, Columns
from auditctl.log.filters import Filters
from auditctl.log.formats import BY_NAME, FORMATS, Format, Layout
from auditctl.log.selection import LARGEST_EVENT_ID, Cursor, Order, Selection
from auditctl.retention import erasure


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --format, passed to the command as the `Format` in `output_format`."""
    names = ", ".join(f"{row.name} ({row.help})" for row in FORMATS)
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(list(BY_NAME)),
        default=FORMATS[0].name,
        callback=lambda _ctx, _param, value: BY_NAME[value],
        help=f"Output format: {names}. Default: {FORMATS[0].name}.",
    )(command)


raw_option = click.option(
    "--raw", is_flag=True, help="In csv, leave cells as recorded, even if a spreadsheet would take them for a formula."
)

columns_option = click.option(
    "--columns",
    metavar="LIST",
    shell_complete=complete(Values(choices=(*COLUMNS, DATABASE), is_list=True)),
    callback=lambda _ctx, _param, value: None if value is None else log_columns.parse(value, (*COLUMNS, DATABASE)),
    help="Only these columns, comma-separated, in this order; by the names of CSV: created_on,user,details. With "
    "--archive also database.",
)

wide_option = click.option(
    "--wide", is_flag=True, help="In a table, cut nothing, however long the lines become. So it is in a pipe or file."
)


@click.command()
@filter_options
@archive_options
@click.option(
    "--limit", metavar="N", type=click.IntRange(1, 2**63 - 2), default=50, help="Maximum number of events. Default: 50."
)
@click.option("--after", metavar="CURSOR", help="Continue after the previous page; its last message shows the cursor.")
@click.option(
    "--transactions", is_flag=True, help="Print transactions instead of events: how many selected events each has."
)
@click.option(
    "--rows",
    metavar="N",
    type=click.IntRange(1, 2**63 - 1),
    help="With --transactions, those of so many selected events or more. Default: 1.",
)
@format_option
@columns_option
@wide_option
@raw_option
@click.option("-v", "--verbose", is_flag=True, help="Say of each table what was not recorded, however many there are.")
@pass_session
def log(
    session: Session,
    *,
    filters: Filters,
    choice: ArchiveChoice,
    limit: int,
    after: str | None,
    transactions: bool,
    rows: int | None,
    output_format: Format,
    columns: Columns | None,
    wide: bool,
    raw: bool,
    verbose: bool,
) -> None:
    """Print the log, newest first.

    An event must match all filters. Of a filter that is given repeatedly, it must match one value; if values have a
    COLUMN= or KEY=, one of each. Blanks around a value are left out: write one that begins or ends with a blank in
    double quotes.

    With --transactions it prints the transactions that have such events, last first, by when they first wrote: how many
    of its events are selected, and what these did.

    Users are written as the table shows them: alice, @LOGIN for a login that acted in its own name, (System) or System
    for the system. A user of such a name is found by --user actor:System. A name that nobody has is taken in any case.

    --was, --became and --changed compare recorded values: of an update the changed columns, of a created or deleted row
    all, of a business event its data. They are compared as text, and where VALUE is JSON also as that: n=5 finds the
    number, with any digits after the point, and the text; n="5" the text alone; n=null what has no value. Masked,
    excluded and erased values are never found; --column finds that a masked one changed.

    \b
    Examples:
      auditctl log --since 24h --user alice
      auditctl log --target billing.customer --id 7 --column balance
      auditctl log --target billing.invoice --was status=open --became status=closed --not-user importer
      auditctl log --kind database --since 7d
      auditctl log --target 'billing.*' --action delete --since 2026-11-01 --until 2026-12-01
      auditctl log --ip 203.0.113.0/24 --format jsonl --limit 1000
      auditctl log --target Customer --columns created_on,user,reason,details
      auditctl log --transactions --rows 1000 --since 30d
      auditctl log --archive /srv/archive --user alice --since 2019-01-01 --until 2020-01-01
      auditctl log --everywhere --target Customer --id 7
    """
    if transactions:
        choice.refuse({"--transactions": choice.is_used}, "--archive and --everywhere")
        if chosen := [name for name, is_given in (("--columns", columns is not None), ("--wide", wide)) if is_given]:
            raise click.UsageError(f"{chosen[0]} is for events, not for transactions")
        print_transactions(
            session, filters, least=rows or 1, limit=limit, after=after, output_format=output_format, raw=raw,
            is_verbose=verbose,
        )  # fmt: skip
        return
    if rows is not None:
        raise click.UsageError("--rows needs --transactions")
    place = layout(output_format, columns, choice, wide=wide, zone=filters.zone)
    if choice.is_used:
        shown = Shown(output_format, place, not raw)
        archived.print_log(session, choice, filters, shown, limit=limit, after=after, is_verbose=verbose)
        return
    cursor = None if after is None else Cursor.parse(after)
    with session.connect(READER) as conn:
        resolved = filters.resolve(conn)
        selection = Selection(resolved.predicates(), after=cursor, limit=limit)
        recorded = lookups.record(conn, lookups.of_search(resolved))
        page = reader.Page(conn, selection, output_format.listed(not raw, place), without=recorded.event_id)
        print_events(output_format, output_format.write(page, place))
        said = remarks.read(conn, resolved, is_empty=not page.count)
    say_obstacle(session, recorded)
    remarks.say(session, said, nothing="No events.", is_verbose=verbose)
    if page.following is not None:
        session.say(f"More may follow: add --after {page.following}")


@click.command()
@click.argument("event_id", metavar="EVENT_ID", type=click.IntRange(1, LARGEST_EVENT_ID))
@archive_options
@format_option
@columns_option
@raw_option
@clock_option
@pass_session
def show(
    session: Session, *, event_id: int, choice: ArchiveChoice, output_format: Format, columns: Columns | None,
    raw: bool, zone: str | None,
) -> None:  # fmt: skip
    """Print one event in full.

    \b
    Examples:
      auditctl show 42
      auditctl show 42 --format json
      auditctl show 42 --archive /srv/archive --database shop
    """
    place = layout(output_format, columns, choice, zone=None if zone is None else clock.parse(zone))
    if choice.is_used:
        archived.print_event(session, choice, event_id, Shown(output_format, place, not raw))
        return
    with session.connect(READER) as conn:
        projection = output_format.projection(not raw, columns)
        target, target_id, *row = reader.event(conn, event_id, SQL("target_name, target_id, {}").format(projection))
        recorded = lookups.record(conn, lookups.of_event(event_id, target, target_id))
        erasures = erasure.read_erasures(conn, event_id)
    print_events(output_format, output_format.write_one(tuple(row), place))
    say_obstacle(session, recorded)
    for sentence in erasures:
        session.say(sentence)


@click.command()
@click.argument("table", shell_complete=complete(TARGETS))
@click.argument("key", metavar="ID")
@archive_options
@click.option(
    "--order", type=click.Choice([str(order) for order in Order]), default="asc", help="Oldest (asc) or newest first."
)
@format_option
@columns_option
@wide_option
@raw_option
@clock_option
@pass_session
def history(
    session: Session,
    *,
    table: str,
    key: str,
    choice: ArchiveChoice,
    order: str,
    output_format: Format,
    columns: Columns | None,
    wide: bool,
    raw: bool,
    zone: str | None,
) -> None:
    """Print the history of one object, oldest first.

    Follows changes of its key and new names of its table, back and forward. TABLE is the table's name or label; ID is
    the object's key, a JSON array for a key of several columns. Put -- before an ID that starts with a dash.

    \b
    Examples:
      auditctl history billing.customer 7
      auditctl history billing.plan_price '["pro", "EUR"]' --format json
      auditctl history ledger.account -- -1
      auditctl history Customer 7 --everywhere
    """
    place = layout(output_format, columns, choice, wide=wide, zone=None if zone is None else clock.parse(zone))
    if choice.is_used:
        archived_history.print_history(session, choice, table, key, Shown(output_format, place, not raw), Order(order))
        return
    with session.connect(READER) as conn:
        target = reader.target_of(conn, table, key)
        recorded = lookups.record(conn, lookups.of_history(target, key))
        selection = replace(reader.history(target, key), order=Order(order))
        page = reader.Page(conn, selection, output_format.listed(not raw, place))
        print_events(output_format, output_format.write(page, place))
        hint, unsearched = "" if page.count else reader.suggest(conn, target, key), reader.unsearched(conn, target)
    say_obstacle(session, recorded)
    if not page.count:
        remarks.say_nothing(session, f"No events of {table} {key or '(an empty key)'}.", hint)
    if unsearched:
        session.say(unsearched)


def layout(
    output_format: Format, columns: Columns | None, choice: ArchiveChoice, *, wide: bool = False,
    zone: Clock | None = None,
) -> Layout:  # fmt: skip
    """Return the layout of standard output: the width of COLUMNS, else of the terminal, and whether it shows colors.

    In a pipe or file without COLUMNS, as with --wide, the width has no bound.

    Raises:
        UsageError: Columns were chosen, and the format takes none, or the column of an archive without one.
    """
    output_format.require_columns(columns)
    choice.require_columns(columns)
    width = 0 if wide else shutil.get_terminal_size((120 if sys.stdout.isatty() else 0, 24)).columns
    return Layout(width=max(width, 40) if width else None, color=uses_color(sys.stdout), zone=zone, columns=columns)
