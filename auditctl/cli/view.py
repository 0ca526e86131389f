"""`auditctl view save`, `view list`, `view show` and `view drop`: filters under a name."""

from __future__ import annotations

import shlex
from typing import Any

import click

from auditctl.cli.filter_options import filter_options
from auditctl.cli.known_values import VIEWS, complete
from auditctl.cli.options import table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import READER, Session, pass_session
from auditctl.log import saved_views
from auditctl.log.filters import Filters
from auditctl.log.saved_views import SavedView, ViewExists
from auditctl.text import in_quotes, iso_utc


@click.group(short_help="Save filters under a name.")
def view() -> None:
    """Save filters under a name, for --view of log, export, follow and stats, and for the page.

    Views belong to the login: each sees, changes and drops its own. They are dropped with it. A view is checked each
    time it is used: relative times mean those before now, and names in it must still exist.

    \b
    Examples:
      auditctl view save 'Deleted invoices' --target billing.invoice --action delete --since 7d
      auditctl log --view 'Deleted invoices' --user alice
      auditctl view list
      auditctl view drop 'Deleted invoices'
    """


name_argument = click.argument("name", metavar="NAME", shell_complete=complete(VIEWS))


@view.command(short_help="Save a view.")
@name_argument
@filter_options
@click.option("--replace", is_flag=True, help="Replace the view of that name.")
@pass_session
def save(session: Session, *, name: str, filters: Filters, replace: bool) -> None:
    """Save filters, at least one, under NAME. Nothing is replaced without --replace.

    Each login has up to 100 views, with filters of up to 8 kB.
    """
    with session.connect(READER) as conn:
        try:
            is_new = saved_views.save(conn, name, filters, replace=replace)
        except ViewExists as error:
            error.hint = "Choose another name, or add --replace."
            raise
    session.say(f"{'Saved' if is_new else 'Replaced'} the view {in_quotes(name)}.")


@view.command(name="list", short_help="List your views.")
@table_or_json("How to print them.")
@pass_session
def list_views(session: Session, output: str) -> None:
    """List the views of your login, by name."""
    with session.connect(READER) as conn:
        views = saved_views.read(conn)
    if output == "json":
        print_json([_document(one) for one in views])
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    rows = [[one.name, shlex.join(one.options), f"{one.saved_at:%Y-%m-%d %H:%M}"] for one in views]
    print_table(["View", "Filters", "Saved (UTC)"], rows)
    if not views:
        session.say("No saved views.")


@view.command(short_help="Print a view's filters.")
@name_argument
@table_or_json("Output format: options of the command line, or JSON.")
@pass_session
def show(session: Session, name: str, output: str) -> None:
    """Print the filters of NAME, as options of the command line."""
    with session.connect(READER) as conn:
        found = saved_views.find(conn, name)
    if output == "json":
        print_json(_document(found))
    else:
        print_text(shlex.join(found.options))


@view.command(short_help="Drop a view.")
@name_argument
@pass_session
def drop(session: Session, name: str) -> None:
    """Drop the view NAME."""
    with session.connect(READER) as conn:
        saved_views.drop(conn, name)
    session.say(f"Dropped the view {in_quotes(name)}.")


def _document(one: SavedView) -> dict[str, Any]:
    return {"name": one.name, "filters": one.document, "saved_at": iso_utc(one.saved_at)}
