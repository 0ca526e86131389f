"""`auditctl stats` of an archive, alone or together with the log."""

from __future__ import annotations

from dataclasses import replace

from auditctl.cli import progress
from auditctl.cli.archive_options import ArchiveChoice
from auditctl.cli.session import READER, Session
from auditctl.log.filters import Filters
from auditctl.log.stats.count import count_partitions
from auditctl.log.stats.model import DIMENSIONS, ArchiveStatistics, Statistics, grouped


def count(session: Session, choice: ArchiveChoice, filters: Filters) -> Statistics | ArchiveStatistics:
    """Count events.

    Raises:
        UsageError: A name is not known, or the path or engine is not there.
        ArchiveError: A file is missing, was altered, or cannot be read.
        DatabaseError: The login may not read the log.
    """
    if choice.is_alone:
        with choice.open() as search, progress.bar(session, "counting") as show:
            from auditctl.archive import names, stats

            groups, size = stats.count_events(search, names.resolve(filters, search), show)
            return ArchiveStatistics(groups, size)
    access = choice.access()
    from auditctl.archive import everywhere, stats

    with session.connect(READER) as conn:
        resolved, labels = access.resolve(conn, filters), everywhere.labels(conn)
        with access.search(conn, labels) as search:
            with progress.bar(session, "counting") as show:
                counted = count_partitions(conn, resolved, labels, report=show)
            with progress.bar(session, "counting the files") as show:
                groups, size = stats.count_events(search, resolved, show)
    whole = tuple(grouped((*counted.groups, *groups), DIMENSIONS))
    return replace(counted, groups=whole, archive=size)
