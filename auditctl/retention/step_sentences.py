"""Says what a finished step of upkeep did, for people: one function for each kind of step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditctl.text import plural

_Data = Mapping[str, Any]


def _notice(_partition: str, data: _Data) -> str:
    return f"{' '.join(data['reasons'])} What was in force before counts for 7 more days."


def _move(partition: str, data: _Data) -> str:
    months = data["events"]
    moved = plural(sum(months.values()), "event")
    return f"{partition}: {moved} moved to {', '.join(sorted(months)) or 'nowhere'}."


def _expire(partition: str, data: _Data) -> str:
    dropped, kept = data["dropped"], data["kept"]
    rest = f", {kept:,} kept" if kept else "; the partition is gone"
    if "remains" in data:
        rest = f", {kept:,} kept; its table remains, as {data['remains']}"
    return f"{partition}: {plural(dropped, 'event')} deleted{rest}."


def _archive(partition: str, data: _Data) -> str:
    dropped, kept = data["dropped"], data["kept"]
    if not dropped:
        return f"{partition}: changed since it was archived; {plural(kept, 'event')} kept."
    rest = f"; {kept:,} of auditctl itself kept" if kept else ""
    return f"{partition}: {plural(dropped, 'event')} dropped, which are in {data['location']}{rest}."


def _index(partition: str, data: _Data) -> str:
    until = data.get("until")
    return f"{partition}: values indexed{f' of the events before {until}' if until else ''}."


_SENTENCES: Mapping[str, Callable[[str, _Data], str]] = {
    "notice": _notice,
    "create": lambda partition, _: f"{partition}: created.",
    "move": _move,
    "expire": _expire,
    "archive": _archive,
    "index": _index,
    "unindex": lambda partition, _: f"{partition}: indexes of values dropped.",
    "skip": lambda partition, data: (
        f"{partition}: {data['reason'] or data.get('note') or 'empty; its table remains while the log is in use'}."
    ),
}


def sentence(step: str, partition: str, data: _Data) -> str:
    """Return what a step did.

    Args:
        step: The kind of step, other than `busy`.
        partition: The partition.
        data: The data of its event.
    """
    return _SENTENCES[step](partition, data)
