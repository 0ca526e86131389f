"""Fits remedies to whoever asks: what only a superuser can do is not proposed to others as if they could.

Providers reserve superusers for themselves. Their services are known by a role that each of them has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from auditctl.database import Connection
from auditctl.doctor.model import AS_SUPERUSER, Check, Finding, ResultRow

AS_OWNER = "set role auditctl_owner;"
"""How statements start that need a member of auditctl_owner."""


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
class Asker:
    """Who asks for remedies.

    Attributes:
        is_superuser: Whether it is a superuser, who can do everything.
        is_owner: Whether it may act as auditctl_owner.
        service: The service that the server belongs to; None for one of nobody's, and for a superuser.
    """

    is_superuser: bool
    is_owner: bool
    service: Service | None = None


def read_asker(conn: Connection) -> Asker:
    """Return who is logged in, and where."""
    query = """
        select
            r.rolsuper,
            coalesce(pg_catalog.pg_has_role(r.oid, pg_catalog.to_regrole('auditctl_owner')::oid, 'member'), false),
            array(select s.rolname::text from pg_catalog.pg_roles as s where s.rolname = any (%s))
        from pg_catalog.pg_roles as r
        where r.rolname = session_user
    """
    row = conn.execute(query, [[service.marker for service in SERVICES]]).fetchone()
    if row is None:
        return Asker(False, False)
    is_superuser, is_owner, markers = row
    return Asker(is_superuser, is_owner, None if is_superuser else _service(markers))


def _service(markers: Iterable[str]) -> Service | None:
    known = frozenset(markers)
    return next((service for service in SERVICES if service.marker in known), None)


def fit(finding: Finding, check: Check, row: ResultRow, asker: Asker) -> Finding:
    """Return a finding with a remedy that whoever asks can carry out, or that says who can.

    Args:
        finding: The finding, with the remedy for a superuser.
        check: Its check.
        row: The row that it was made from.
        asker: Who asks.
    """
    remedy = finding.remedy
    if asker.is_superuser:
        return finding
    if check.needs_superuser and asker.service is not None:
        return replace(finding, remedy=_on_service(finding, check, row, asker.service))
    needs_owner = remedy.startswith(AS_OWNER) and not asker.is_owner
    if (check.needs_superuser or needs_owner) and not remedy.startswith(AS_SUPERUSER):
        return replace(finding, remedy=f"{AS_SUPERUSER}{remedy}")
    return finding


def _on_service(finding: Finding, check: Check, row: ResultRow, service: Service) -> str:
    accept = f'Accept the finding in the file: check = "{finding.check}", object = "{finding.object}"'
    role = str(row.get("role", "")).strip('"')
    if role and any(fnmatchcase(role, glob) for glob in service.own):
        return f"{service.name} itself needs the role {role}, and nobody else can change it. {accept}"
    if check.otherwise:
        return check.otherwise.format_map(row)
    return f"Nobody but {service.name} is a superuser there: ask its support, or leave it. {accept}"
