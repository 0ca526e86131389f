"""`auditctl stats`: prints the log's size and growth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from auditctl import remarks
from auditctl.cli import archived_stats, progress
from auditctl.cli.archive_options import ArchiveChoice, archive_options
from auditctl.cli.filter_options import some_filter_options
from auditctl.cli.known_values import Values, complete
from auditctl.cli.options import table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import READER, Session, pass_session
from auditctl.clock import Clock
from auditctl.log.filters import Filters
from auditctl.log.stats import model
from auditctl.log.stats.count import SAMPLED_PAGES, count_events
from auditctl.log.stats.model import DIMENSIONS, ArchiveStatistics, Group, Growth, Statistics
from auditctl.text import in_quotes, iso_utc, plural, shown_size


def _dimensions(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = [part.strip() for part in value.split(",") if part.strip()]
    for name in names:
        if name not in DIMENSIONS:
            raise click.BadParameter(f"{in_quotes(name)} is not one of {', '.join(DIMENSIONS)}")
    return tuple(name for name in DIMENSIONS if name in names)


@click.command(short_help="Show log size and growth.")
@some_filter_options("since", "until", "weekday", "hour", "outside-hours", "target", "action")
@archive_options
@click.option(
    "--by",
    "dimensions",
    metavar="LIST",
    shell_complete=complete(Values(choices=tuple(DIMENSIONS), is_list=True)),
    callback=_dimensions,
    default=",".join(DIMENSIONS),
    show_default=True,
    help="Group by these dimensions, comma-separated; '' for the totals alone.",
)
@click.option("--estimate", is_flag=True, help=f"Count in a sample: about {SAMPLED_PAGES:,} pages of each partition.")
@table_or_json("Output format.")
@pass_session
def stats(
    session: Session, *, filters: Filters, choice: ArchiveChoice, dimensions: tuple[str, ...], estimate: bool,
    output: str,
) -> None:  # fmt: skip
    """Show log size and growth: events and bytes by target, month and action.

    Counts every event, in one pass over each partition, unless --estimate is given. Bytes include indexes and TOAST:
    a partition's size on disk is divided among its events. Growth is that of the last 30 days, or since the first event
    if that is later, and never of less than a day. Of archived months, the size of their files is divided. Months, and
    the dates of a table, are those of --tz; without it, of UTC.

    \b
    Examples:
      auditctl stats
      auditctl stats --by target --since 2026-01-01
      auditctl stats --target 'billing.*' --by month,action --format json
      auditctl stats --everywhere --by month
    """
    if choice.is_used:
        choice.refuse({"--estimate": estimate}, "--archive and --everywhere")
        statistics: Statistics | ArchiveStatistics = archived_stats.count(session, choice, filters)
    else:
        with session.connect(READER) as conn, progress.bar(session, "counting") as show:
            statistics = count_events(conn, filters, estimate=estimate, report=show)
            unsearched = remarks.unsearched(conn, filters.resolve(conn))
        if unsearched:
            session.say(unsearched)
    groups = model.grouped(statistics.groups, dimensions) if dimensions else []
    if output == "json":
        print_json(_document(statistics, groups, dimensions, filters))
        return
    for line in _summary(statistics, filters.clock):
        print_text(line)
    if groups:
        print_text("")
        _print(groups, dimensions, filters.clock)


def _document(
    statistics: Statistics | ArchiveStatistics, groups: list[Group], dimensions: tuple[str, ...], filters: Filters
) -> dict[str, Any]:
    log: dict[str, Any] = {}
    if isinstance(statistics, Statistics):
        log = {"storage": asdict(statistics.storage), "growth": _growth(statistics.growth)}
    return {
        "estimate": isinstance(statistics, Statistics) and statistics.is_estimate,
        "filters": filters.as_dict(),
        "total": _figures(statistics.total),
        **log,
        **({} if statistics.archive is None else {"archive": asdict(statistics.archive)}),
        "groups": [_key(group, dimensions) | _figures(group) for group in groups],
    }


def _growth(growth: Growth) -> dict[str, Any]:
    return {
        "since": iso_utc(growth.since, microseconds=True),
        "until": iso_utc(growth.until, microseconds=True),
        "days": round(growth.days, 3),
        "events": growth.events,
        "bytes": growth.bytes,
        "events_per_day": round(growth.events_per_day, 1),
        "bytes_per_day": round(growth.bytes_per_day),
        "bytes_per_year": round(growth.bytes_per_year),
    }


def _figures(group: Group) -> dict[str, Any]:
    return {
        "events": group.events,
        "bytes": group.bytes,
        "oldest": group.oldest or None,
        "newest": group.newest or None,
    }


def _key(group: Group, dimensions: tuple[str, ...]) -> dict[str, Any]:
    key = {name: getattr(group, name) for name in dimensions}
    return {"target": group.target, "label": group.label} | key if "target" in dimensions else key


def _summary(statistics: Statistics | ArchiveStatistics, clock: Clock) -> Iterator[str]:
    total = statistics.total
    log = statistics if isinstance(statistics, Statistics) else None
    if total.events:
        about = "about " if log is not None and log.is_estimate else ""
        when = f"{_date(total.oldest, clock)} to {_date(total.newest, clock)}"
        yield f"events:     {about}{total.events:,}, {shown_size(total.bytes)}, {when} ({clock.name})"
        if log is not None:
            yield from _growth_lines(log.growth, about, clock)
    else:
        yield "events:     none"
    if log is not None:
        storage = log.storage
        yield f"on disk:    {shown_size(storage.bytes)}, of it {shown_size(storage.index_bytes)} indexes"
        empty = f", {storage.empty_partitions} of them empty ({shown_size(storage.empty_bytes)})"
        yield f"partitions: {storage.partitions}{empty if storage.empty_partitions else ''}"
        yield f"in DEFAULT: {plural(storage.default_events, 'event')}"
    if (archive := statistics.archive) is not None:
        files = f"{plural(archive.files, 'file')} of {plural(archive.months, 'month')}"
        yield f"archived:   {shown_size(archive.bytes)}, {files}"
    if log is not None and log.is_estimate:
        yield f"estimate:   from about {SAMPLED_PAGES:,} pages of each partition; rare groups may be missing"


def _growth_lines(growth: Growth, about: str, clock: Clock) -> Iterator[str]:
    yield (
        f"growth:     {about}{growth.events_per_day:,.0f} events and {shown_size(growth.bytes_per_day)} a day, "
        f"{shown_size(growth.bytes_per_year)} a year"
    )
    until = _date(iso_utc(growth.until), clock)
    yield f"            (from {plural(growth.events, 'event')} in the {growth.days:.1f} days until {until})"


def _print(groups: list[Group], dimensions: tuple[str, ...], clock: Clock) -> None:
    from auditctl.cli.terminal import print_table  # rich is slow to load

    header = [*(name.capitalize() for name in dimensions), "Events", "Size", "First", "Last"]
    cells = [
        [
            *(_cell(group, name) for name in dimensions),
            f"{group.events:,}",
            shown_size(group.bytes),
            _day(group.oldest, dimensions, clock),
            _day(group.newest, dimensions, clock),
        ]
        for group in groups
    ]
    print_table(header, cells, numbers=("Events", "Size"))


def _cell(group: Group, name: str) -> str:
    return group.label or group.target if name == "target" else str(getattr(group, name))


def _day(moment: str, dimensions: tuple[str, ...], clock: Clock) -> str:
    """Return the date; without the year where the month is a column of its own."""
    date = _date(moment, clock)
    return date[5:] if "month" in dimensions else date


def _date(moment: str, clock: Clock) -> str:
    """Return the date of a time in ISO 8601 by a clock; in UTC of one that Python cannot represent."""
    try:
        return str(clock.local(datetime.fromisoformat(moment)).date())
    except ValueError:
        return moment[:10]
