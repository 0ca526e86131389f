"""`auditctl follow`: writes what is committed, as it is committed, from where it was."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import click
from click.core import ParameterSource

from auditctl import durations
from auditctl.cli import follow_service
from auditctl.cli.filter_options import filter_options
from auditctl.cli.known_values import CONSUMERS, FILES, Values, complete
from auditctl.cli.printing import print_text, standard_output
from auditctl.cli.session import READER, Session, pass_session
from auditctl.display import harmless_json
from auditctl.log import consumers
from auditctl.log.consumers import Bookmark, Consumer, CursorFile, Nowhere
from auditctl.log.filters import Filters
from auditctl.log.follow import NOW
from auditctl.log.formats import BY_NAME, LINES
from auditctl.log.snapshot import START, Snapshot
from auditctl.text import in_quotes, iso_utc

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes"}
_SHORTEST, _LONGEST = timedelta(milliseconds=100), timedelta(hours=1)


def _every(_context: click.Context, _parameter: click.Parameter, value: str) -> timedelta:
    duration = durations.parse(value, _UNITS)
    every = None if duration is None else timedelta(**{_UNITS[duration[1]]: min(duration[0], 10**8)})
    if every is None or not _SHORTEST <= every <= _LONGEST:
        raise click.BadParameter(f"{in_quotes(value)} is not a time from 100ms to 60m; write 500ms, 1s or 5m")
    return every


def _begin(_context: click.Context, _parameter: click.Parameter, value: str) -> Snapshot | str:
    return value if value in (START, NOW) else Snapshot.parse(value)


@click.command()
@filter_options
@click.option(
    "--format", "format_name", type=click.Choice([row.name for row in LINES]), default=LINES[0].name,
    help=f"Output format: {', '.join(f'{row.name} ({row.help})' for row in LINES)}. Default: {LINES[0].name}.",
)  # fmt: skip
@click.option(
    "--consumer", metavar="NAME", shell_complete=complete(CONSUMERS),
    help="Store in the log's database, under this name, how far it has come.",
)  # fmt: skip
@click.option(
    "--cursor", "cursor_file", metavar="FILE", shell_complete=complete(FILES),
    help="Store in this file how far it has come.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="End when everything that is committed is written.")
@click.option(
    "--every", metavar="TIME", default="1s", callback=_every, help="How often to look for new events. Default: 1s."
)
@click.option(
    "--from", "begin", metavar="SNAPSHOT", default=START, callback=_begin,
    shell_complete=complete(Values(choices=(START, NOW))),
    help=f"Where one begins that has stored nothing yet: {START} (the default), {NOW}, or the snapshot of an export.",
)  # fmt: skip
@click.option("--list", "is_list", is_flag=True, help="List the consumers, and do nothing else.")
@click.option(
    "--drop", metavar="NAME", shell_complete=complete(CONSUMERS), help="Drop this consumer, and do nothing else."
)
@click.pass_context
@pass_session
def follow(
    session: Session, context: click.Context, *, filters: Filters, format_name: str, consumer: str | None,
    cursor_file: str | None, once: bool, every: timedelta, begin: Snapshot | str, is_list: bool, drop: str | None,
) -> None:  # fmt: skip
    """Write each committed event at least once, a line each, as soon as its transaction has committed.

    It stays until Ctrl-C or SIGTERM, which end it with exit code 0; with --once it ends when it is up to date. With
    --consumer or --cursor it goes on where it was, however it was stopped: the place is stored once the events are
    written, so an event may come twice and is never left out. Without them nothing is stored, and each run begins with
    the first event of the log, or at --from.

    Events come in the order in which their transactions became visible; those that became visible between two looks, in
    the order of their capture. A lost connection is made again. Only one session follows as a consumer at a time; the
    login that began it alone moves it.

    \b
    Examples:
      auditctl follow --consumer siem
      auditctl follow --consumer siem --format ocsf --target 'billing.*' --from now
      auditctl follow --cursor /var/lib/siem/auditctl.cursor --once >> events.jsonl
      auditctl follow --list
      auditctl follow --drop siem
    """
    if sum(bool(choice) for choice in (consumer is not None, cursor_file is not None, is_list, drop is not None)) > 1:
        raise click.UsageError("--consumer, --cursor, --list and --drop exclude each other")
    if is_list:
        is_json = context.get_parameter_source("format_name") is not ParameterSource.DEFAULT
        _print_consumers(session, is_json=is_json)
    elif drop is not None:
        with session.connect(READER) as conn:
            consumers.drop(conn, drop)
        session.say(f"Dropped the consumer {in_quotes(drop)}.")
    else:
        bookmark = _bookmark(consumer, cursor_file)
        if not isinstance(bookmark, Nowhere):
            filters.require_fixed("a follower that goes on")
        output_format = BY_NAME[format_name]
        job = follow_service.Job(filters, output_format, bookmark, begin, None if once else every)
        follow_service.run(session, job, standard_output(output_format.harmless))


def _bookmark(consumer: str | None, cursor_file: str | None) -> Bookmark:
    if consumer is not None:
        return Consumer(consumer)
    return Nowhere() if cursor_file is None else CursorFile(cursor_file)


def _print_consumers(session: Session, *, is_json: bool) -> None:
    with session.connect(READER) as conn:
        stored = consumers.read(conn)
    if is_json:
        for one in stored:
            print_text(json.dumps(dataclasses.asdict(one), ensure_ascii=False, default=iso_utc), harmless_json)
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    print_table(
        ["Consumer", "Login", "Filters", "Format", "Events", "Read last (UTC)"],
        [
            [one.name, one.owner, _shown(one.filters), one.format, f"{one.events:,}", f"{one.read_at:%Y-%m-%d %H:%M}"]
            for one in stored
        ],
    )
    if not stored:
        session.say("There are no consumers.")


def _shown(filters: object) -> str:
    return json.dumps(filters, ensure_ascii=False) if filters else "(all)"
