"""Which transactions a stored snapshot sees as ended."""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditctl.text import in_quotes

_TEXT = re.compile(r"([0-9]+):([0-9]+):((?:[0-9]+(?:,[0-9]+)*)?)", re.ASCII)

NOTHING = "1:1:"
"""The snapshot that sees no transaction, before the first block of an incarnation."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Which transactions a snapshot sees as ended.

    Attributes:
        xmin: Every transaction below had ended.
        xmax: No transaction from here on had begun.
        running: The transactions between that were running.
    """

    xmin: int
    xmax: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Seen:
        """Parse the text of a pg_snapshot.

        Raises:
            ValueError: It is not one.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{in_quotes(text)} is not a snapshot")
        return cls(int(match[1]), int(match[2]), frozenset(map(int, filter(None, match[3].split(",")))))

    def sees(self, transaction: int) -> bool:
        """Whether a transaction had ended."""
        return transaction < self.xmax and (transaction < self.xmin or transaction not in self.running)
