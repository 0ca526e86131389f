"""The events of a block are in the order of their numbers and times, negative ones first."""

from __future__ import annotations

from itertools import product

from auditctl.evidence.block_events import BlockEvents, signed
from auditctl.evidence.canonical import COLUMNS, Fields

NUMBERS = (-(2**63), -1, 0, 1, 255, 256, 2**63 - 1)


def event(number: int, time: int) -> Fields:
    return (*(value.to_bytes(8, "big", signed=True) for value in (number, time)), *[None] * (len(COLUMNS) - 2))


def test_events_are_sorted_by_number_and_time() -> None:
    for some in (NUMBERS, NUMBERS[2:]):
        pairs = list(product(some, some))
        events = BlockEvents()
        for pair in reversed(pairs):
            events.add(event(*pair))
        events.sort()
        assert [(signed(one[:8]), signed(one[8:16])) for one in events.events] == pairs
        assert (events.first_event_id, events.last_event_id) == (some[0], some[-1])
    empty = BlockEvents()
    empty.sort()
    assert (empty.first_event_id, empty.leaves) == (None, [])
