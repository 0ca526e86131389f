"""django-pghistory, which Django applications use: an event table for each table, with a copy of its columns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contenders.contender import APPLICATION, Log

if TYPE_CHECKING:
    from bench.subject import Subject


@dataclass(frozen=True, slots=True)
class Pghistory:
    """Inserts, updates and deletes are tracked; nobody is named, so its table of contexts stays empty."""

    name: str
    title: str
    login: str = APPLICATION
    session: tuple[str, ...] = ()

    def set_up(self, dsn: str, subjects: Sequence[Subject]) -> Log:
        names = [subject.name for subject in subjects]
        subprocess.run([sys.executable, "-m", "bench.contenders.django_tracking", dsn, *names], check=True)
        return Log(events=tuple(f"{name}_event" for name in names), others=("pghistory_context",))
