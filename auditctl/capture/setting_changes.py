"""Plans the changes of sections that are about no table: [admin], [archive] and accepted findings."""

from __future__ import annotations

from collections.abc import Iterator

from auditctl.archive import settings
from auditctl.capture import accepted, admin_limit, archiving
from auditctl.capture.desired import DesiredRules
from auditctl.capture.plan import Change
from auditctl.database import Connection


def read(conn: Connection, goal: DesiredRules) -> Iterator[Change]:
    """Yield the changes that make the stored sections those of a desired state.

    Raises:
        DatabaseError: The login may not read the configuration.
    """
    yield from admin_limit.changes(admin_limit.read(conn), goal.admin)
    yield from archiving.changes(settings.read(conn), goal.archive)
    yield from accepted.changes(accepted.read(conn), goal.accepted, goal.problems)
