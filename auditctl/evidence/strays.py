"""Says of events that are missing or were added where else they are, or which partition is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from psycopg.sql import SQL, Literal

from auditctl.evidence.blocks import Block
from auditctl.evidence.compare import Added, Missing, fixed_columns_that_differ
from auditctl.evidence.event_check import EventCheck, describe_missing
from auditctl.evidence.findings import Finding
from auditctl.evidence.leaf import SALT_BYTES, event_leaf
from auditctl.evidence.sealed_events import stream
from auditctl.text import plural

_MAX_LOOKED_UP = 200
_MONTH = re.compile(r"auditctl\.event_([0-9]{4})_([0-9]{2})", re.ASCII)

_ATTACHED = """
    select c.oid::regclass::text
      from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
     where i.inhparent = 'auditctl.event'::regclass
"""


def report_strays(check: EventCheck, partitions: Iterable[str]) -> None:
    """Report what is missing and what was added: one finding for an event that is both, as it was altered.

    Args:
        check: The check of all events.
        partitions: The partitions of the log as they were sealed last.
    """
    numbers = [missing.event_ids[0] for _, missing in check.missing if len(missing.event_ids) == 1]
    current = _look_up(check, numbers[:_MAX_LOOKED_UP])
    moved = {number for number in numbers if number in current}
    renumbered = set()
    for block, missing, added in _renumbered(check, moved):
        number, column = missing.event_ids[0], "event_id"
        sentence = f"event {number} was altered in block {block.number}: event_id, which is {added.row.event_id} now"
        check.report.add(Finding("altered", sentence, number, column, block.number))
        renumbered |= {number, added.row.event_id}
    missing_now = [pair for pair in check.missing if not set(pair[1].event_ids[:1]) & renumbered]
    check.missing[:] = [pair for pair in missing_now if pair[1].event_ids[:1] not in [(n,) for n in moved]]
    for block, missing in missing_now:
        if len(missing.event_ids) == 1 and (number := missing.event_ids[0]) in moved:
            names = ", ".join(fixed_columns_that_differ(missing.checks[0], current[number]))
            sentence = f"event {number} was altered in block {block.number}: {names or 'its place'}"
            check.report.add(Finding("altered", sentence, number, names or None, block.number))
    _report_partitions(check, partitions)
    for block, missing in check.missing:
        check.report.add(describe_missing(block, missing, None))
    for block, added in check.added:
        if (number := added.row.event_id) not in moved | renumbered:
            sentence = f"event {number} was added to block {block.number} after it was sealed"
            check.report.add(Finding("added", sentence, number, None, block.number))


def _renumbered(check: EventCheck, moved: set[int]) -> Iterator[tuple[Block, Missing, Added]]:
    """Missing and added events of one block that are alike in everything without a salt but their number."""
    added = list(check.added[:_MAX_LOOKED_UP])
    for block, missing in check.missing[:_MAX_LOOKED_UP]:
        if len(missing.event_ids) != 1 or missing.event_ids[0] in moved:
            continue
        for pair in added:
            is_alike = fixed_columns_that_differ(missing.checks[0], pair[1].row.checks) == ("event_id",)
            if pair[0] is block and is_alike:
                added.remove(pair)
                yield block, missing, pair[1]
                break


def _look_up(check: EventCheck, numbers: list[int]) -> dict[int, bytes]:
    """The check bytes of events that are in the log, but not where they were sealed."""
    if not numbers:
        return {}
    found = {}
    for fields in stream(check.conn, SQL("e.event_id = any ({}::bigint[])").format(Literal(numbers))):
        found[int.from_bytes(fields[0] or b"", "big", signed=True)] = event_leaf(fields, bytes(SALT_BYTES))[1]
    return found


def _report_partitions(check: EventCheck, partitions: Iterable[str]) -> None:
    """Report each partition that was there and is not attached, with how many events are missing since."""
    attached = {name for (name,) in check.conn.execute(_ATTACHED).fetchall()}
    gone = sorted(name for name in partitions if name not in attached and _MONTH.fullmatch(name))
    if not gone or not check.missing:
        return
    for name in gone:
        inside = [pair for pair in check.missing if _may_be_of(name, pair[0])]
        count = sum(len(missing.places) for _, missing in inside)
        if not inside:
            continue
        check.missing[:] = [pair for pair in check.missing if not _may_be_of(name, pair[0])]
        short = name.removeprefix("auditctl.")
        where = f"blocks {inside[0][0].number} to {inside[-1][0].number}"
        sentence = (
            f"the partition {short} was dropped, detached or replaced: {plural(count, 'event')} of {where} missing"
        )
        check.report.add(Finding("partition", sentence, None, None, inside[0][0].number, short))


def _may_be_of(name: str, block: Block) -> bool:
    """Whether a block can have events of a month: it was sealed after it began, and its part does not lie elsewhere."""
    match = _MONTH.fullmatch(name)
    if match is None:
        return False
    start = datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)
    end = (start + timedelta(days=32)).replace(day=1)
    sealed, begins, ends = (_moment(text) for text in (block.sealed_at, block.from_time, block.until_time))
    is_elsewhere = (begins is not None and begins >= end) or (ends is not None and ends <= start)
    return not is_elsewhere and (sealed is None or sealed >= start)


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
