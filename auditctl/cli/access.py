"""`auditctl access`: prints who may do what with the log, for an access review."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

import click

from auditctl import access as access_list
from auditctl import display
from auditctl.access import UNKNOWN, Access, Review
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import READER, Session, pass_session
from auditctl.log.formats.csv import safe_cell
from auditctl.text import iso_utc

HEADER = ("as_of", "database", "login", "may", "through", "since", "granted_by", "tables")
"""The columns of the CSV."""


@click.command(short_help="List who may read, administer, name users or act as owner.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="How to print the list.",
)  # fmt: skip
@pass_session
def access(session: Session, output: str) -> None:
    """List who may read the log, administer it, name users, act as owner, or change audited tables as their owner.

    One line for each chain of roles, at the moment of the server's clock: to take a power from a login, remove all of
    its chains. Since when and by whom is what the log knows of grants by auditctl, else what PostgreSQL knows.
    Superusers act as owner, and so do logins that write the server's files or run its programs. Changes nothing.

    \b
    Examples:
      auditctl access
      auditctl access --format csv > access-2026-11.csv
    """
    with session.connect(READER) as conn:
        review = access_list.read(conn)
    match output:
        case "json":
            print_json(_document(review))
        case "csv":
            print_text(_csv(review), end="")
        case _:
            _print(review)
            session.say(f"{review.database} at {iso_utc(review.at)}, by the server's clock.")


def _document(review: Review) -> dict[str, Any]:
    return {
        "as_of": iso_utc(review.at),
        "database": review.database,
        "access": [
            {
                "login": one.login,
                "public": one.is_public,
                "may": one.power.phrase,
                "through": one.through,
                "since": _time(one),
                "granted_by": one.granted_by,
                "tables": one.tables,
                "links": [
                    dataclasses.asdict(link) | {"since": iso_utc(link.since) if link.since else None}
                    for link in one.links
                ],
            }
            for one in review.access
        ],
    }


def _csv(review: Review) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for one in review.access:
        cells = (
            iso_utc(review.at), review.database, one.name, one.power.phrase, " > ".join(one.chain),
            _time(one) or UNKNOWN, _name(one.granted_by), ", ".join(one.tables),
        )  # fmt: skip
        writer.writerow([safe_cell(display.harmless(cell)) for cell in cells])
    return text.getvalue()


def _print(review: Review) -> None:
    from auditctl.cli.terminal import print_table  # rich is slow to load

    cells = [
        [one.name, one.power.phrase, _through(one), _time(one) or UNKNOWN, _name(one.granted_by)]
        for one in review.access
    ]
    print_table(["Login", "May", "Through", "Since", "Granted by"], cells)


def _through(one: Access) -> str:
    roles = " > ".join(one.chain) or "itself"
    taken = " (once it grants itself the role)" if any(link.takes for link in one.links) else ""
    return roles + taken + (f": {', '.join(one.tables)}" if one.tables else "")


def _name(role: str | None) -> str:
    return access_list.shown(role) if role else UNKNOWN


def _time(one: Access) -> str | None:
    return iso_utc(one.since) if one.since else None
