"""`auditctl log --transactions`: prints which transactions have the selected events, and what they did."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from auditctl.cli import remarks
from auditctl.cli.printing import print_pieces
from auditctl.cli.session import READER, Session
from auditctl.clock import UTC, Clock
from auditctl.display import format_user
from auditctl.log import lookups, selection
from auditctl.log.by_transaction import formats, reader
from auditctl.log.by_transaction.model import Group
from auditctl.log.filters import Filters
from auditctl.log.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = ("transaction", "began on", "seconds", "user", "events", "details")


def print_transactions(
    session: Session,
    filters: Filters,
    *,
    least: int,
    limit: int,
    after: str | None,
    output_format: Format,
    raw: bool,
    is_verbose: bool,
) -> None:
    """Print a page of transactions, last number first; then what `auditctl log` says of events with these filters.

    Raises:
        UsageError: The format has no transactions, a filter's name is not known, or `after` is not a transaction.
        DatabaseError: The login may not read the log.
    """
    if output_format.name != "table" and output_format.name not in formats.WRITERS:
        known = ", ".join(["table", *formats.WRITERS])
        raise click.UsageError(f"--transactions has no format {output_format.name}; its formats: {known}")
    with session.connect(READER) as conn:
        resolved = filters.resolve(conn)
        page = reader.read(
            conn, resolved.predicates(), selection.heads(formats.NEWEST), least=least, limit=limit, after=after
        )
        recorded = lookups.record(conn, lookups.of_search(resolved))
        said = remarks.read(conn, resolved, is_empty=not page.groups)
    if output_format.name == "table":
        _print_table(page.groups, filters.clock if filters.zone else UTC)
    else:
        with closing(formats.WRITERS[output_format.name](page.groups, not raw)) as texts:
            print_pieces(texts, output_format.harmless)
    if recorded.obstacle:
        session.say(recorded.obstacle)
    remarks.say(session, said, nothing="No transactions.", is_verbose=is_verbose)
    if page.hint:
        session.say(f"hint: {page.hint}")
    if page.following is not None:
        session.say(f"More may follow: add --after {page.following}")


def _print_table(groups: Sequence[Group], clock: Clock) -> None:
    from auditctl.cli.terminal import print_table  # rich is slow to load

    header = list(HEADER)
    header[1] = f"{header[1]} ({clock.name})"
    print_table(header, [_cells(group, clock) for group in groups], numbers=("transaction", "seconds", "events"))


def _cells(group: Group, clock: Clock) -> list[str]:
    values = formats.row(group)
    count = group.count
    others = " and others" if values["has_other_users"] else ""
    reason = f" ({values['reason']})" if values["reason"] else ""
    return [
        group.name,
        clock.digits(count.first_at).removesuffix(f" {UTC.name}"),
        f"{(count.last_at - count.first_at).total_seconds():.1f}",
        format_user(values["user"], values["actor_kind"]) + others,
        f"{count.events:,}",
        f"{group.details}{reason}",
    ]
