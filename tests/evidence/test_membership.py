"""Which block an event belongs to."""

from __future__ import annotations

import pytest

from auditctl.evidence.visibility import Seen
from tests.support.membership import Incarnation, Interval, Membership, Part

FIRST = Incarnation(
    (
        Interval(Seen.parse("10:20:12,15"), (Part(1),)),
        Interval(Seen.parse("15:30:15"), (Part(2, None, 500), Part(3, 500, 900), Part(4, 900, None))),
        Interval(Seen.parse("40:40:"), (Part(5),)),
    )
)


@pytest.mark.parametrize(
    ("transaction", "time", "block"),
    [
        (9, 0, 1),
        (12, 0, 2),
        (15, 0, 5),
        (19, 0, 1),
        (20, 499, 2),
        (20, 500, 3),
        (29, 900, 4),
        (39, 0, 5),
        (40, 0, None),
    ],
)
def test_an_event_belongs_to_the_first_interval_that_sees_its_transaction(
    transaction: int, time: int, block: int | None
) -> None:
    assert Membership([FIRST]).block(7, transaction, time) == block


def restored() -> Membership:
    """A log that was sealed up to event 100, adopted elsewhere with event 150, sealed to 300, and adopted with 350."""
    return Membership(
        [
            Incarnation(FIRST.intervals, last_sealed=100),
            Incarnation(
                (Interval(Seen.parse("5:9:7"), (Part(6),)), Interval(Seen.parse("12:12:"), (Part(7),))),
                last_sealed=300,
                adoption=150,
            ),
            Incarnation((Interval(Seen.parse("3:4:"), (Part(8),)),), adoption=350),
        ]
    )


@pytest.mark.parametrize(
    ("event", "transaction", "block"),
    [
        (50, 9, 1),
        (50, 45, 6),  # committed after the last seal there, and restored
        (120, 1000, 6),  # written there after the last seal: its transaction is of the other cluster
        (150, 7, 7),  # the adoption itself was running when the first snapshot here was taken
        (200, 8, 6),
        (200, 11, 7),
        (280, 13, 8),  # not seen before the second restore
        (320, 11, 8),
        (400, 3, 8),
        (400, 4, None),
    ],
)
def test_each_adoption_begins_an_incarnation_with_transactions_of_its_own(
    event: int, transaction: int, block: int | None
) -> None:
    assert restored().block(event, transaction, 0) == block


def test_what_is_no_snapshot_is_refused() -> None:
    for text in ("", "1:2", "1:2:a", "1:2:3,"):
        with pytest.raises(ValueError, match="not a snapshot"):
            Seen.parse(text)
