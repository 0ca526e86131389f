"""The comparison of a block's events with its leaves."""

from __future__ import annotations

from hashlib import sha256

import pytest

from auditctl.evidence.compare import Altered, Row, differences
from auditctl.evidence.leaf import CHECK_BYTES, CHECKED
from auditctl.evidence.sealer import MAX_EVENTS

pytestmark = pytest.mark.slow


@pytest.mark.timeout(20)
def test_the_largest_block_is_compared_in_time_proportional_to_its_events() -> None:
    number_checks = [bytes([number % 251]) for number in range(MAX_EVENTS)]
    leaves = {number: sha256(number.to_bytes(8, "big")).digest() for number in range(MAX_EVENTS)}
    sealed = b"".join(first + bytes(CHECK_BYTES - 1) for first in number_checks)
    differing = bytes(CHECK_BYTES - 2) + b"\1"

    def row(number: int, *, is_altered: bool) -> Row:
        leaf = bytes(32) if is_altered else leaves[number]
        rest = differing if is_altered else bytes(CHECK_BYTES - 1)
        return Row(number, leaf, number_checks[number] + rest)

    for altered in (range(5, 6), range(MAX_EVENTS)):
        rows = [row(number, is_altered=number in altered) for number in range(MAX_EVENTS)]
        found = list(differences(leaves, frozenset(), sealed, rows, (0, MAX_EVENTS - 1)))
        assert found == [Altered(rows[number], (CHECKED[-1],)) for number in altered]
