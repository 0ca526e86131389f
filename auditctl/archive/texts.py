"""Archived events as the texts that people read: those that PostgreSQL writes of the same events, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from auditctl.archive import packed
from auditctl.archive.columns import COLUMNS, DATABASE
from auditctl.evidence import canonical
from auditctl.log.event_texts import EventTexts
from auditctl.log.formats import raw_json
from auditctl.names import SYSTEM_USER

if TYPE_CHECKING:
    import pyarrow as pa

Labels = Mapping[str, Mapping[str, str]]
"""The labels of targets, by database and name."""

Position = tuple[int, int, str]
"""When an event was captured, in microseconds since 1970, its number and its database: the order of archived events."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TO_2000 = 946_684_800_000_000
_CYCLE = 146_097 * 86_400_000_000
"""The microseconds after which the calendar repeats: those of 400 years."""

_INFINITE = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """An event from an archive.

    Attributes:
        position: Its place in the order.
        texts: What people read of it, by column.
        values: The columns of the files, texts as str; without those that are not read.
    """

    position: Position
    texts: EventTexts
    values: Mapping[str, Any]


def of_batch(batch: pa.RecordBatch, labels: Labels) -> Iterator[ArchivedEvent]:
    """Yield the events of a batch with all columns of the files, and `database`.

    Args:
        batch: The batch.
        labels: The labels of targets; others have their name.

    Raises:
        ValueError: It holds what no archiver writes.
    """
    names = [column.name for column in COLUMNS] + [DATABASE]
    columns = [_values(batch.column(name)) for name in names]
    for row in zip(*columns, strict=True):
        values = dict(zip(names, row, strict=True))
        yield ArchivedEvent(
            (values["occurred_at"], values["event_id"], values[DATABASE]), _texts(values, labels), values
        )


def time_text(microseconds: int) -> str:
    """Return a time in ISO 8601 in UTC, as `selection.CREATED_ON` writes it; of the year 44 BC as 0044.

    Args:
        microseconds: Since 1970.
    """
    cycles = 0
    try:
        time = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        cycles, rest = divmod(microseconds, _CYCLE)
        time = _EPOCH + timedelta(microseconds=rest)
    year = time.year + 400 * cycles
    return f"{year if year > 0 else 1 - year:04}{time.replace(tzinfo=None).isoformat(timespec='microseconds')[4:]}Z"


def _values(column: pa.Array) -> list[Any]:
    # Python's own times end in the year 9999.
    return list((column.cast("int64") if str(column.type).startswith("timestamp") else column).to_pylist())


def _texts(values: dict[str, Any], labels: Labels) -> dict[str, str | None]:
    time: int | None = values["occurred_at"] if values["exact"] is None else _correct(values)
    target, context = values["target"], values["context"]
    has_reason = context is not None and '"reason"' in context
    return {
        "event_id": str(values["event_id"]),
        "created_on": None if time is None else time_text(time),
        "ip_address": values["ip"],
        "user": SYSTEM_USER if values["actor"] is None else values["actor"],
        "target": labels.get(values[DATABASE], {}).get(target, target),
        "target_id": values["target_id"],
        "action": values["action"],
        "details": values["details"],
        "reason": raw_json.member(context, "reason") if has_reason else None,
        "old_values": values["old_values"],
        "new_values": values["new_values"],
        "db_user": values["db_user"],
        "actor_kind": values["actor_kind"],
        "xact_id": str(values["xact_id"] % 2**64),
        "context": context,
        "database": values[DATABASE],
        "target_name": target,
        "microseconds": None if time is None else str(time),
    }


def _correct(values: dict[str, Any]) -> int | None:
    """Take values from the exact bytes, where the columns cannot hold them; return the time, None for infinity."""
    fields = dict(zip(canonical.COLUMNS, packed.unpack(values["exact"]), strict=True))
    for name, value in fields.items():
        if isinstance(values[name], str) and name != "ip" and value is not None:
            values[name] = value.decode("utf-8", "replace")
    number = int.from_bytes(fields["occurred_at"] or b"", "big", signed=True)
    return None if number in _INFINITE else number + _TO_2000
