"""The tables alone: what everything else is measured from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contenders.contender import APPLICATION, Log

if TYPE_CHECKING:
    from bench.subject import Subject


@dataclass(frozen=True, slots=True)
class NoAudit:
    """No triggers."""

    name: str
    title: str
    login: str = APPLICATION
    session: tuple[str, ...] = ()

    def set_up(self, dsn: str, subjects: Sequence[Subject]) -> Log:  # noqa: ARG002
        return Log()
