"""What a contender is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from bench.subject import Subject

SUPERUSER: Final = "postgres"
APPLICATION: Final = "bench_app"
"""An ordinary login that may read and write the tables, and whatever else it needs in its contender's database."""


@dataclass(frozen=True, slots=True)
class Log:
    """Where a contender writes to.

    Attributes:
        events: The tables that together get one row for each change; none without an audit.
        others: Further tables that belong to it.
    """

    events: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """All of them."""
        return self.events + self.others


class Contender(Protocol):
    """A way to audit tables; each gets a database of its own.

    Attributes:
        name: In results and names of databases.
        title: In documentation.
        login: Who writes to the tables.
        session: What the writer runs once in each of its sessions.
    """

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def login(self) -> str: ...

    @property
    def session(self) -> tuple[str, ...]: ...

    def set_up(self, dsn: str, subjects: Sequence[Subject]) -> Log:
        """Audit the tables, as a superuser, and return where the log is."""
        ...
