"""How the archived months of a log are read together with it: where they are, and by which engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field

from auditctl.archive import everywhere
from auditctl.archive.engines import Engine
from auditctl.archive.engines.on_demand import OnDemand
from auditctl.archive.everywhere import OpenedMonths
from auditctl.archive.names import ArchiveNames
from auditctl.archive.names_everywhere import NamesEverywhere
from auditctl.archive.search import Search
from auditctl.database import Connection
from auditctl.log.filters import Filters


@dataclass(frozen=True, slots=True)
class ArchiveAccess:
    """How the archived months of a log are read.

    Attributes:
        path: Where the archive is; None for where each month was written to.
        start: Begins a session of the engine, and ends it with the block; called where files are to be read.
        opened: The months that were opened before: their manifests are read once.
    """

    path: str | None
    start: Callable[[], AbstractContextManager[Engine]]
    opened: OpenedMonths = field(default_factory=dict)

    @contextmanager
    def search(self, conn: Connection, labels: Mapping[str, str] | None = None) -> Iterator[Search]:
        """Run the block in `everywhere.snapshot`; yield a search of the months that the log dropped.

        Args:
            conn: The connection.
            labels: The labels of targets; None for those of the log.

        Raises:
            UsageError: The engine is not installed.
            ArchiveError: A file is missing, was altered, or cannot be read.
            DatabaseError: The login may not read the log.
        """
        shown = everywhere.labels(conn) if labels is None else labels
        with (
            everywhere.snapshot(conn, self.path, self.opened) as months,
            closing(OnDemand(self.start)) as engine,
        ):
            yield Search(months, engine, dict.fromkeys(months.databases, shown))

    def resolve(self, conn: Connection, filters: Filters) -> Filters:
        """Return filters of a log and its archived months with names looked up.

        Raises:
            UsageError: A name is not known, or the engine is not installed.
            ArchiveError: A file is missing, or was altered.
            DatabaseError: The login may not read the log.
        """

        @contextmanager
        def archived() -> Iterator[ArchiveNames]:
            with self.search(conn, {}) as search:
                yield ArchiveNames(search)

        return filters.resolve(NamesEverywhere(conn, archived))
