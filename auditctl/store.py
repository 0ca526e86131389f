"""Installs and upgrades the store, by Alembic.

Connects, and runs migrations/env.py, which has the steps. The only module that knows Alembic and SQLAlchemy.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from auditctl import actor_sources, database, place, resources, revision, store_code
from auditctl.actor_sources import ActorSource
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.names import STORE_REVISION

ALEMBIC = threading.Lock()
"""Alembic keeps the running migration in a module: one thread of a process at a time."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What an install did.

    Attributes:
        before: The revision found, None where there was no store.
        after: The revision there is now.
        is_guarded: Whether the coverage guard is on, which needs a superuser.
        was_guarded: Whether it was on before.
        warnings: What the database warns of, as sentences without a full stop.
        actor_sources: What names the actor where auditctl.actor does not, in order.
    """

    before: str | None
    after: str
    is_guarded: bool
    was_guarded: bool
    warnings: tuple[str, ...] = ()
    actor_sources: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the store was created or upgraded."""
        return self.before != self.after


def install(
    dsn: str = "", *, reason: str | None = None, actor_from: Sequence[ActorSource] | None = None
) -> Installation:
    """Create or upgrade the store, and create the log's partitions for this month and three ahead.

    May be repeated: functions and views are written anew each time, tables change by revision. Two installs at once
    wait for each other. It is one transaction: a failure leaves everything as it was. The login must be a superuser,
    or have CREATEROLE and CREATE on the database.

    Args:
        dsn: The database.
        reason: Why, recorded with each event; None for no reason.
        actor_from: What names the actor where auditctl.actor does not, in order; None to leave it as it is.

    Raises:
        DatabaseError: No connection, or the login may not.
        StoreError: The store is newer than this tool, or of an auditctl that was never released.
        PlaceError: The store was restored or copied, and is not adopted yet.
    """
    guarded = resources.sql_text("queries/guarded.sql")
    with ALEMBIC, database.connect(dsn) as conn, database.waiting_for_store(conn):
        warnings = database.collect_warnings(conn)
        before = revision.read(conn)
        if before is None:
            revision.refuse_unreleased(conn)
        elif before > STORE_REVISION:
            revision.require(conn)
        if before is not None:
            place.require(conn)
            store_code.require_unchanged(conn, replaced=True)
        (was_guarded,) = conn.execute(guarded.encode()).fetchone() or (False,)
        upgrade(conn, reason=reason, actor_from=actor_from)
        (is_guarded,) = conn.execute(guarded.encode()).fetchone() or (False,)
        sources = actor_sources.read(conn)
    return Installation(before, STORE_REVISION, is_guarded, was_guarded, tuple(warnings), sources)


def upgrade(conn: Connection, adopt: Callable[[], None] | None = None, **stated: object) -> None:
    """Run migrations/env.py on a connection, in one transaction of its own.

    Args:
        conn: The connection; outside a transaction.
        adopt: Makes it an adoption: repairs what a restore left, and calls this before the transaction commits.
        stated: `reason` and `actor_from`, as for `install`.

    Raises:
        DatabaseError: The login may not.
    """
    conn.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: conn, poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            config = _config()
            config.attributes.update(connection=connection, adopt=adopt, **stated)
            command.upgrade(config, "head")
    except DBAPIError as error:
        if error.orig is None:
            raise
        raise error.orig from error


def install_script(from_revision: str | None = None, **stated: object) -> str:
    """Return what `install` would run, as SQL for a DBA to review and to run with psql; connects to nothing.

    Args:
        from_revision: The revision the store has now; None for a database without one.
        stated: `reason` and `actor_from`, as for `install`.

    Raises:
        UsageError: There is no such revision.
    """
    known = revisions()
    if from_revision is not None and from_revision not in known:
        raise UsageError(f"there is no revision {from_revision}", hint=f"Known revisions: {', '.join(known)}")
    config = _config()
    config.output_buffer = buffer = io.StringIO()
    config.attributes.update(stated)
    with ALEMBIC:
        command.upgrade(config, f"{from_revision}:head" if from_revision else "head", sql=True)
    return buffer.getvalue()


def revisions() -> list[str]:
    """Return the revisions of the store, oldest first."""
    script = ScriptDirectory.from_config(_config())
    return [step.revision for step in reversed(list(script.walk_revisions()))]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.folder("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
