"""Compares the events of one block with its leaves: pure, and in constant memory but for a few bytes an event."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from auditctl.evidence.leaf import CHECK_BYTES, CHECKED

_FIXED = 6
"""How many of the check bytes are of columns without a salt."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it is in the log.

    Attributes:
        event_id: Its identity.
        leaf: Its leaf hash.
        checks: Its check bytes.
    """

    event_id: int
    leaf: bytes
    checks: bytes


@dataclass(frozen=True, slots=True)
class Altered:
    """An event that differs from its leaf.

    Attributes:
        row: The event as it is.
        columns: The columns that differ, as far as the check bytes show it; empty if they do not.
    """

    row: Row
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """Consecutive leaves without events.

    Attributes:
        places: Their places in the block.
        after: The event before them in the block; None without one.
        before: The event behind them; None without one.
        event_ids: What their numbers were: as many as places if they are known, else none.
        checks: The check bytes of each.
    """

    places: tuple[int, ...]
    after: int | None
    before: int | None
    event_ids: tuple[int, ...]
    checks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """An event without a leaf.

    Attributes:
        row: The event.
    """

    row: Row


Difference = Altered | Missing | Added


def differences(
    leaves: Mapping[int, bytes],
    gone: frozenset[int],
    checks: bytes,
    rows: Sequence[Row],
    bounds: tuple[int | None, int | None],
) -> Iterator[Difference]:
    """Return how the events of a block differ from its leaves.

    Args:
        leaves: The sealed hashes by their places; those whose events were deleted by retention may be missing.
        gone: The places of events that were deleted by an announced retention.
        checks: The check bytes of the block; empty if it has none.
        rows: The events, in the order of leaves.
        bounds: The smallest and the largest event_id of the block, as its record has them.
    """
    places = [place for place in sorted(leaves) if place not in gone]
    known = {leaves[place]: place for place in places}
    taken = [known.get(row.leaf) for row in rows]
    matched = sorted((place, number) for number, place in enumerate(taken) if place is not None)
    marks = [place for place, _ in matched]
    left = sorted(set(places).difference(marks))
    spare = [number for number, place in enumerate(taken) if place is None]
    numbers = [number for _, number in matched]
    for gap in range(len(matched) + 1):
        if not left and not spare:
            return
        upper = marks[gap] if gap < len(marks) else None
        lost = _take(left, upper)
        extra = _take(spare, numbers[gap] if gap < len(numbers) else None)
        if lost or extra:
            before = rows[numbers[gap - 1]].event_id if gap else None
            after = rows[numbers[gap]].event_id if gap < len(numbers) else None
            ends = (before, after)
            is_start, is_end = places[:1] == lost[:1], places[-1:] == lost[-1:]
            yield from _gap(lost, [rows[n] for n in extra], checks, ends, bounds, (is_start, is_end))


def _take(numbers: list[int], end: int | None) -> list[int]:
    """Remove the numbers below an end from the beginning of a sorted list, and return them."""
    count = len(numbers) if end is None else bisect_left(numbers, end)
    found = numbers[:count]
    del numbers[:count]
    return found


def _gap(
    lost: list[int],
    extra: list[Row],
    checks: bytes,
    ends: tuple[int | None, int | None],
    bounds: tuple[int | None, int | None],
    edges: tuple[bool, bool],
) -> Iterator[Difference]:
    """The differences between two events that are as they were sealed."""
    pairs = _pair(lost, extra, checks)
    place_of = {number: place for place, number in pairs}
    for number, row in enumerate(extra):
        if (place := place_of.get(number)) is None:
            yield Added(row)
        else:
            yield Altered(row, columns_that_differ(_checks_at(checks, place), row.checks))
    rows = {place: extra[number] for place, number in pairs}
    run: list[int] = []
    before, is_start = ends[0], edges[0]
    for place in lost:
        if place not in rows:
            run.append(place)
            continue
        yield from _missing(run, (before, rows[place].event_id), checks, bounds, (is_start, False))
        run, before, is_start = [], rows[place].event_id, False
    yield from _missing(run, (before, ends[1]), checks, bounds, (is_start, edges[1]))


def _missing(
    run: list[int],
    ends: tuple[int | None, int | None],
    checks: bytes,
    bounds: tuple[int | None, int | None],
    edges: tuple[bool, bool],
) -> Iterator[Missing]:
    if run:
        numbers = _numbers(run, ends, bounds, edges, checks)
        yield Missing(tuple(run), *ends, numbers, tuple(_checks_at(checks, place) for place in run))


def _pair(lost: list[int], extra: list[Row], checks: bytes) -> list[tuple[int, int]]:
    """Places and rows that are the same event: by the check byte of its number, or else by that of other columns."""
    if not checks:
        return list(zip(lost, range(len(extra)), strict=False)) if len(lost) == len(extra) else []
    pairs: list[tuple[int, int]] = []
    start = 0
    for number, row in enumerate(extra):
        for index in range(start, len(lost)):
            if _checks_at(checks, lost[index])[0] == row.checks[0]:
                pairs.append((lost[index], number))
                start = index + 1
                break
    if not pairs and len(lost) == len(extra) == 1:
        same = sum(
            a == b for a, b in zip(_checks_at(checks, lost[0])[1:_FIXED], extra[0].checks[1:_FIXED], strict=True)
        )
        return [(lost[0], 0)] if same == _FIXED - 1 else []
    return pairs


def _checks_at(checks: bytes, place: int) -> bytes:
    return checks[CHECK_BYTES * place : CHECK_BYTES * (place + 1)]


def columns_that_differ(sealed: bytes, current: bytes) -> tuple[str, ...]:
    """Return the columns whose check bytes differ.

    The salts of the columns follow from number and time: where these differ, the others cannot be compared.
    """
    count = CHECK_BYTES if sealed[:2] == current[:2] else _FIXED
    return tuple(name for name, a, b in zip(CHECKED[:count], sealed, current, strict=False) if a != b)


def fixed_columns_that_differ(sealed: bytes, current: bytes) -> tuple[str, ...]:
    """Return the columns without a salt whose check bytes differ."""
    return tuple(name for name, a, b in zip(CHECKED[:_FIXED], sealed, current, strict=False) if a != b)


def _numbers(
    run: list[int],
    ends: tuple[int | None, int | None],
    bounds: tuple[int | None, int | None],
    edges: tuple[bool, bool],
    checks: bytes,
) -> tuple[int, ...]:
    """The numbers of missing events, if only these are possible; else none."""
    first = bounds[0] if edges[0] else ends[0] + 1 if ends[0] is not None else None
    last = bounds[1] if edges[1] else ends[1] - 1 if ends[1] is not None else None
    if first is None or last is None or last < first:
        return ()
    if last - first + 1 == len(run):
        return tuple(range(first, last + 1))
    if len(run) > 1 or last - first > 100_000 or not checks:
        return ()
    byte = _checks_at(checks, run[0])[0]
    found = [number for number in range(first, last + 1) if crc32(number.to_bytes(8, "big", signed=True)) & 255 == byte]
    if edges == (True, False):
        return (first,)
    if edges == (False, True):
        return (last,)
    return (found[0],) if len(found) == 1 else ()
