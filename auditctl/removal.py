"""Removes auditctl from a database: capture and guard off, and the log left readable or dropped after a counted export.

The log is exported first, while capture is on, so that an export that fails changes nothing; once capture is off, what
came meanwhile is added. Each step is one transaction that leaves something complete: capture off is what `disable` of
every table leaves, and the log is dropped whole or not at all. A second run does what an interrupted one left. Nothing
is dropped with CASCADE.
Sources: sql/queries/uninstall/.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import errors, sql
from psycopg.sql import SQL

from auditctl import database, place, resources, store_code
from auditctl.actions import Action
from auditctl.capture import apply
from auditctl.capture.batches import Watch
from auditctl.capture.config.document import Document
from auditctl.capture.plan import Plan
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, DatabaseError
from auditctl.log.counted_export import Extent, extent
from auditctl.names import GRANTABLE_ROLES, INSTALL_LOCK, OWN_SCHEMAS, ROLE_OWNER, STORE_REVISION
from auditctl.text import plural

ROLES = (*GRANTABLE_ROLES.values(), ROLE_OWNER)

_MAX_NAMES = 20
"""How many names an error lists."""


@dataclass(frozen=True, slots=True)
class ClusterRole:
    """A role of the store, which all databases of the cluster share.

    Attributes:
        name: The role.
        members: Roles and logins that are its members, without those of the store.
        databases: The other databases in which it owns something or has privileges.
    """

    name: str
    members: tuple[str, ...]
    databases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """What an uninstall would find and do.

    Attributes:
        database: The database.
        plan: The plan that ends all capture.
        is_guarded: Whether event triggers of the coverage guard are there.
        dependents: Objects of others that depend on the store; they keep the log from being dropped.
        mentions: Functions of others that call the store, which fail once it is dropped.
        strays: Objects that cannot be attributed; they keep the log from being dropped.
        holds: How many legal holds are in force; they keep the log from being dropped.
        size: The size of the log in bytes.
        roles: The store's roles.
    """

    database: str
    plan: Plan
    is_guarded: bool
    dependents: tuple[str, ...]
    mentions: tuple[str, ...]
    strays: tuple[str, ...]
    holds: int
    size: int
    roles: tuple[ClusterRole, ...]

    @property
    def is_ended(self) -> bool:
        """Whether capture and guard are off, as an interrupted run leaves them."""
        return not self.plan.pending and not self.is_guarded

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose capture ends, in order."""
        return tuple(sorted({change.target for change in self.plan.pending}))

    @property
    def read_tables(self) -> tuple[str, ...]:
        """The tables whose row security becomes what it was before their reads were recorded."""
        return tuple(sorted({change.relation for change in self.plan.pending if change.action is Action.READ}))

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the log from being dropped, as sentences."""
        return (
            *(f"{name} depends on the store" for name in self.dependents),
            *(f"{name} is in the store or owned by {ROLE_OWNER}, and not of auditctl" for name in self.strays),
            *([f"{plural(self.holds, 'legal hold')} must keep events"] if self.holds else []),
        )


_EVENT_TRIGGERS = SQL("""
    select e.evtname
    from pg_event_trigger as e
    join pg_proc as p on p.oid = e.evtfoid
    join pg_namespace as n on n.oid = p.pronamespace
    where n.nspname = 'auditctl_guard'
    order by e.evtname
""")
"""Others may have event triggers that are called auditctl_ something."""

_NO_RULES = Document(())


def survey(conn: Connection) -> Removal:
    """Return what an uninstall would do, without changing anything.

    Raises:
        DatabaseError: The login may not act as auditctl_owner, or not drop the guard.
        PlaceError: The store was restored or copied, and is not adopted yet.
    """
    place.require(conn)
    planned = apply.plan(conn, _NO_RULES)
    with database.transaction(conn):
        is_guarded = bool(conn.execute(_EVENT_TRIGGERS).fetchall())
        if is_guarded and not store_code.is_superuser(conn):
            raise DatabaseError(
                "only a superuser can switch the coverage guard off", hint="Run auditctl uninstall as a superuser."
            )
        (name,) = conn.execute("select current_database()").fetchone() or ("",)
        with database.acting_as(conn, ROLE_OWNER):
            holds, size = conn.execute(
                "select (select count(*) from auditctl.hold where released_at is null), "
                "(select sum(pg_total_relation_size(relid)) from pg_partition_tree('auditctl.event'))::bigint"
            ).fetchone() or (0, 0)
        return Removal(
            name,
            planned,
            is_guarded,
            _names(conn, "dependent"),
            _names(conn, "mention"),
            _names(conn, "stray"),
            holds,
            size,
            _roles(conn),
        )


def end_capture(conn: Connection, lock_timeout: str, watch: Watch) -> None:
    """End the capture of every table, then switch the guard off and record it; the log stays readable.

    Raises:
        ConfigurationError, DatabaseError: As `apply.carry_out`.
    """
    apply.apply(conn, _NO_RULES, lock_timeout=lock_timeout, watch=watch)
    with database.errors_translated(), database.transaction(conn, lock_timeout=lock_timeout):
        conn.execute("select pg_advisory_xact_lock(%s)", [INSTALL_LOCK])
        for (trigger,) in conn.execute(_EVENT_TRIGGERS).fetchall():
            conn.execute(SQL("drop event trigger {}").format(sql.Identifier(trigger)))
        with database.acting_as(conn, ROLE_OWNER):
            conn.execute(
                "select auditctl_internal.insert_event('auditctl.store', %s, 'EVENT', null, null, %s)",
                [STORE_REVISION, "auditctl uninstalled: capture and coverage guard are off"],
            )


def drop(conn: Connection, exported: Extent, lock_timeout: str) -> tuple[ClusterRole, ...]:
    """Drop the store, in one transaction, unless the log has other events than were exported; then its roles.

    Args:
        conn: The connection.
        exported: The log as it was exported.
        lock_timeout: How long to wait for those who use the log, such as `5s`.

    Returns:
        The roles that remain, because another database uses them or something else depends on them.

    Raises:
        DatabaseError: Events were recorded since, or something depends on the store; nothing was dropped.
    """
    with database.errors_translated(), database.transaction(conn, lock_timeout=lock_timeout):
        conn.execute("set local statement_timeout = 0")
        conn.execute("select pg_advisory_xact_lock(%s)", [INSTALL_LOCK])
        with database.acting_as(conn, ROLE_OWNER):
            conn.execute("lock table auditctl.event in access exclusive mode")
        if extent(conn) != exported:
            raise DatabaseError(
                f"events came or went since {plural(exported.events, 'event')} were exported",
                hint="Nothing was dropped. Stop what records business events, then run it again with another file.",
            )
        if obstacles := (*_names(conn, "dependent"), *_names(conn, "stray")):
            raise ConfigurationError([f"{name} depends on the store, or is in it" for name in obstacles[:_MAX_NAMES]])
        shared = _names(conn, "shared_grant")
        with database.acting_as(conn, ROLE_OWNER):
            # The login that installed drops what it owns in them; from 16 on it does not inherit the right to.
            conn.execute("grant usage on schema auditctl, auditctl_internal to session_user")
        for statement in _names(conn, "lent"):
            conn.execute(statement.encode())
        conn.execute("set local role auditctl_owner; drop owned by auditctl_owner restrict; reset role")
        remaining = _drop_roles(conn)
        for statement in shared if remaining else ():
            conn.execute(statement.encode())
    return remaining


def _drop_roles(conn: Connection) -> tuple[ClusterRole, ...]:
    """Drop the roles if nothing else in the cluster uses them; return those that remain."""
    roles = _roles(conn)
    if any(role.databases for role in roles):
        return roles
    try:
        with conn.transaction():
            names = SQL(", ").join(sql.Identifier(role.name) for role in roles)
            conn.execute(SQL("drop role {}").format(names))
    except (errors.DependentObjectsStillExist, errors.InsufficientPrivilege):
        return _roles(conn)
    return ()


def _names(conn: Connection, query: str) -> tuple[str, ...]:
    text = resources.sql_text(f"queries/uninstall/{query}.sql")
    parameters = {"schemas": list(OWN_SCHEMAS)} if "%(schemas)s" in text else None
    rows = conn.execute(text.encode(), parameters)
    return tuple(row[0] for row in rows)


def _roles(conn: Connection) -> tuple[ClusterRole, ...]:
    rows = conn.execute(resources.sql_text("queries/uninstall/role.sql").encode(), {"roles": list(ROLES)})
    return tuple(ClusterRole(name, tuple(members), tuple(databases)) for name, members, databases in rows)
