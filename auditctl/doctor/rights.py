"""Finds out what the login that asks for remedies may do, and what administrators may change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditctl import resources
from auditctl.capture import admin_limit, administer
from auditctl.capture.plan import Plan
from auditctl.database import Connection
from auditctl.doctor.model import Coverage
from auditctl.table_names import qualified


@dataclass(frozen=True, slots=True)
class Service:
    """A managed service.

    Attributes:
        name: As its provider calls it.
        marker: A role that every server of it has.
        own: The roles that it needs for itself, as globs.
    """

    name: str
    marker: str
    own: tuple[str, ...]


SERVICES = (
    Service("Amazon RDS", "rds_superuser", ("rds*",)),
    Service("Google Cloud SQL", "cloudsqlsuperuser", ("cloudsql*",)),
    Service("Google AlloyDB", "alloydbsuperuser", ("alloydb*",)),
    Service("Azure Database for PostgreSQL", "azure_pg_admin", ("azure*", "replication")),
    Service("Neon", "neon_superuser", ("neon_*", "cloud_admin")),
    Service(
        "Supabase",
        "supabase_admin",
        ("supabase_*", "postgres", "service_role", "authenticator", "pgbouncer", "dashboard_user"),
    ),
)
"""The services that are known."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose capture somebody cannot change.

    Attributes:
        outside: The names of the tables and rules, among those asked about.
        may_apply: Whether the stored rules can be applied: no table or rule that differs is outside.
    """

    outside: frozenset[str] = frozenset()
    may_apply: bool = True


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for remedies.

    Attributes:
        is_superuser: Whether it is a superuser, who can do everything.
        is_owner: Whether it may act as auditctl_owner.
        service: The service that the server belongs to; None for one of nobody's, and for a superuser.
        is_administrator: Whether it may change what is audited, and the retention of events.
        roles: The roles whose rights it has, its own among them.
        grantable: The roles that it may grant and revoke.
        reach: What it can change as the owner of tables and member of auditctl_owner, or else as an administrator.
        administrators: What administrators can change.
    """

    is_superuser: bool
    is_owner: bool
    service: Service | None = None
    is_administrator: bool = False
    roles: frozenset[str] = frozenset()
    grantable: frozenset[str] = frozenset()
    reach: Reach = Reach()
    administrators: Reach = Reach()


def read(
    conn: Connection,
    covered: Coverage | None = None,
    names: frozenset[str] = frozenset(),
    applied: frozenset[str] = frozenset(),
) -> Asker:
    """Return who is logged in, and where (queries/asker.sql).

    Args:
        conn: The connection.
        covered: The stored rules compared with the database; None if the login may not see it.
        names: What may be names of tables and rules that remedies are about.
        applied: Those among them for which the rules have to be applied, also where the plan does not show it.
    """
    markers = [service.marker for service in SERVICES]
    row = conn.execute(resources.sql_text("queries/asker.sql"), {"markers": markers}).fetchone()
    if row is None:
        return Asker(False, False)
    is_superuser, is_owner, is_administrator, roles, grantable, present = row
    if is_superuser:
        return Asker(True, True)
    service = next((service for service in SERVICES if service.marker in present), None)
    administrators = own = Reach()
    if covered is not None:
        lender = administer.lender(conn)
        administrators = _reach(conn, covered, names, applied, lender, is_limited=True)
        own = _reach(conn, covered, names, applied, None, is_limited=False) if is_owner else administrators
    return Asker(
        False, is_owner, service, is_administrator, frozenset(roles), frozenset(grantable), own, administrators
    )


def _reach(
    conn: Connection,
    covered: Coverage,
    names: frozenset[str],
    applied: frozenset[str],
    role: str | None,
    *,
    is_limited: bool,
) -> Reach:
    """Return what a role can change: as an administrator by the rights of the one that installed, or by its own."""
    oids = {qualified(*relation.identity): relation.oid for relation in covered.catalog.relations}
    outside = set(administer.not_owned(conn, [oids[name] for name in names if name in oids], role))
    if is_limited:
        known = oids.keys() | {rule.name for rule in covered.plan.rules}
        outside.update(admin_limit.outside(conn, sorted(names & known)))
        may_apply = administer.refusal(conn, covered.plan) is None
    else:
        may_apply = not administer.not_owned(conn, _touched(covered.plan), role)
    return Reach(frozenset(outside), may_apply and outside.isdisjoint(applied))


def _touched(plan: Plan) -> Iterable[int]:
    return [change.relation_oid for change in plan.pending if change.relation_oid is not None and change.statements]
