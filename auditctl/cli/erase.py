"""`auditctl erase`: erases recorded values, for privacy law."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from functools import partial

import click

from auditctl.archive import exclusive, extra
from auditctl.cli import progress
from auditctl.cli.known_values import COLUMNS, complete
from auditctl.cli.options import confirm, keep_reason, table_or_json
from auditctl.cli.printing import print_json
from auditctl.cli.session import ADMIN, Session, pass_session
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log.filter_values import require_storable
from auditctl.log.selection import LARGEST_EVENT_ID
from auditctl.retention import erasure
from auditctl.retention.erasure import Elsewhere, ErasedValue, Erasure
from auditctl.text import iso_utc, plural

MAX_LISTED = 20
"""So many events are listed in a warning."""


@click.command(short_help="Erase values of events, as privacy law may require.")
@click.option(
    "--event",
    "events",
    metavar="EVENT_ID",
    type=click.IntRange(1, LARGEST_EVENT_ID),
    multiple=True,
    required=True,
    help="An event. Repeatable: all are erased or none.",
)
@click.option(
    "--column",
    "columns",
    metavar="COL",
    multiple=True,
    shell_complete=complete(COLUMNS),
    help="A column of the audited table, else of the event: actor, ip, db_user, target_id, old_values, new_values or "
    "context. values.COL and event.COL tell them apart. Repeatable. Default: old_values, new_values and context.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    required=True,
    callback=keep_reason,
    help="Why, such as the number of the request. It stays in the log: name no person in it.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be erased, and erase nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask; needed without a terminal.")
@table_or_json("How to print what is erased.")
@pass_session
def erase(
    session: Session,
    *,
    events: tuple[int, ...],
    columns: tuple[str, ...],
    reason: str,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Erase recorded values for ever. That it was done, by whom, when and why, is an event of its own.

    A value becomes {"$erased": true}, an actor or login (erased), an address or key null. The event stays, and so does
    the proof of everything else in it. An event under a hold is refused, as are auditctl's own.

    Of an event that is in the archive alone, the file of its month is written anew. That needs a login that may bring
    months back, see restore-archive.

    The same value may stand in other events of the record, such as in the old values of its next update: these are
    listed. What else has copies, such as backups, is in docs/how-to/erase.md.

    \b
    Examples:
      auditctl erase --event 42 --column email --reason 'request 2026-31' --dry-run
      auditctl erase --event 42 --event 57 --column email --reason 'request 2026-31'
    """
    for column in columns:
        require_storable("column", column)
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError(
            "nothing was erased: without a terminal, erase cannot ask",
            hint="Look with --dry-run at what would be erased, then pass --yes.",
        )
    with session.connect(ADMIN) as conn:
        is_archived = bool(erasure.find_absent(conn, events))
        planned, values = (_plan_archived if is_archived else _plan)(conn, events, columns)
        elsewhere = erasure.find_elsewhere(conn, planned) if planned else ()
        erased = planned
        if planned and not dry_run:
            if not yes and not confirm(_question(planned)):
                raise UsageError("nothing was erased", hint="Answer y, or pass --yes.")
            do = partial(_erase_archived, session) if is_archived else erasure.erase
            erased = do(conn, events, columns, reason)
    _print(erased, values if dry_run else (), elsewhere, output)
    _say_result(session, erased, dry_run=dry_run)
    _say_copies(session, values, elsewhere, is_archived=bool(planned) and is_archived)


def _plan(
    conn: Connection, events: Sequence[int], columns: Sequence[str]
) -> tuple[tuple[Erasure, ...], tuple[ErasedValue, ...]]:
    planned = erasure.plan(conn, events, columns)
    return planned, erasure.read_values(conn, planned) if planned else ()


def _plan_archived(
    conn: Connection, events: Sequence[int], columns: Sequence[str]
) -> tuple[tuple[Erasure, ...], tuple[ErasedValue, ...]]:
    with extra.required():
        from auditctl.archive import erasure as archived  # pyarrow is slow to load, and may be missing

    return archived.plan(conn, events, columns)


def _erase_archived(
    session: Session, conn: Connection, events: Sequence[int], columns: Sequence[str], reason: str
) -> tuple[Erasure, ...]:
    from auditctl.archive import erasure as archived

    with (
        session.connect(ADMIN) as holder,
        exclusive.alone(holder),
        progress.bar(session, "writing archived events anew") as show,
    ):
        return archived.erase(
            conn,
            events,
            columns,
            reason,
            lambda _month, done, total: show(done, total),
            lambda: holder.execute("select 1"),
        )


def _question(planned: Sequence[Erasure]) -> str:
    count = sum(len(one.places) for one in planned)
    return f"Erase {plural(count, 'value')} of {plural(len(planned), 'event')} for ever?"


def _print(
    erased: Sequence[Erasure], values: Sequence[ErasedValue], elsewhere: Sequence[Elsewhere], output: str
) -> None:
    if output == "json":
        _print_json(erased, values, elsewhere)
    elif erased:
        _print_table(erased, {(one.event_id, one.place): one.text for one in values})


def _print_json(erased: Sequence[Erasure], values: Sequence[ErasedValue], elsewhere: Sequence[Elsewhere]) -> None:
    rows = []
    for one in erased:
        row = dataclasses.asdict(one)
        if values:
            row["values"] = {value.place: value.text for value in values if value.event_id == one.event_id}
        rows.append(row)
    print_json({"erased": rows, "elsewhere": [dataclasses.asdict(one) for one in elsewhere]}, default=iso_utc)


def _print_table(erased: Sequence[Erasure], values: dict[tuple[int, str], str]) -> None:
    from auditctl.cli.terminal import print_table  # rich is slow to load

    header = ["Event", "Target", "ID", "Column", *(["Value"] if values else ["Recorded"])]
    cells = [
        [
            str(one.event_id),
            one.target,
            one.target_id or "",
            name,
            values[one.event_id, name] if values else str(one.recorded),
        ]
        for one in erased
        for name in one.places
    ]
    print_table(header, cells)


def _say_result(session: Session, erased: Sequence[Erasure], *, dry_run: bool) -> None:
    if not erased:
        session.say("Nothing to erase: the events have no such values, or they are erased already.")
        return
    count = sum(len(one.places) for one in erased)
    done = f"{plural(count, 'value')} of {plural(len(erased), 'event')}"
    if dry_run:
        session.say(f"Would erase {done}.")
        return
    session.say(f"Erased {done}.")
    for folder in sorted({one.partition for one in erased if one.is_archived}):
        session.say(f"Written anew without them: {folder}. Copies, and versions that an object store keeps, have them.")
    if statements := _cleanup(erased):
        session.say(f"hint: The files keep them until a superuser runs: {statements}")


def _cleanup(erased: Sequence[Erasure]) -> str:
    """The statements after which no file of the database has the values, their salts or keys; empty if none had."""
    tables = sorted({one.partition for one in erased if not one.is_archived})
    if any("event.target_id" in one.places for one in erased):
        tables.append("auditctl.key_change")
    if any(one.block for one in erased):
        tables += ["auditctl.block", "auditctl.erasure"]
    if not tables:
        return ""
    return f"vacuum (full, analyze) {', '.join(tables)}; analyze auditctl.event; vacuum (full) pg_statistic"


def _say_copies(
    session: Session, values: Sequence[ErasedValue], elsewhere: Sequence[Elsewhere], *, is_archived: bool
) -> None:
    if keys := [one.event_id for one in values if one.is_key]:
        session.say(f"warning: the key has the same value, and stays without --column target_id: {_numbers(keys)}")
    if is_archived:
        session.say("warning: other archived events may have the values, too. Look with: auditctl log --everywhere")
    for one in elsewhere:
        name = one.place.split(".", 1)[1]
        session.say(f"warning: {name} of {one.target} {one.target_id} stays in other events: {_numbers(one.events)}")


def _numbers(events: Sequence[int]) -> str:
    rest = f" and {len(events) - MAX_LISTED} more" if len(events) > MAX_LISTED else ""
    return ", ".join(map(str, events[:MAX_LISTED])) + rest
