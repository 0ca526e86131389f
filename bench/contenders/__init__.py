"""What is compared: one file for each way to audit a table."""

from __future__ import annotations

from bench.contenders.auditctl import Auditctl
from bench.contenders.contender import APPLICATION, SUPERUSER, Contender
from bench.contenders.floor import Floor
from bench.contenders.generic import Generic
from bench.contenders.no_audit import NoAudit
from bench.contenders.pghistory import Pghistory
from bench.contenders.postgresql_audit import PostgresqlAudit
from bench.contenders.thin import Thin

NO_AUDIT = NoAudit("no_audit", "no audit")
FLOOR = Floor("floor", "floor", pinned="set search_path = pg_catalog, pg_temp set \"TimeZone\" = 'UTC'")
FLOOR_PLAIN = Floor("floor_plain", "floor, search_path only", pinned="set search_path = pg_catalog, pg_temp")
AUDITCTL = Auditctl("auditctl", "auditctl", login=APPLICATION, names_actor=True)
AUDITCTL_SUPERUSER = Auditctl("auditctl_superuser", "auditctl, superuser", login=SUPERUSER, names_actor=False)
AUDIT_ROW = PostgresqlAudit("postgresql_audit_row", "PostgreSQL-Audit, row", per_statement=False)
AUDIT_STATEMENT = PostgresqlAudit("postgresql_audit_statement", "PostgreSQL-Audit, statement", per_statement=True)
PGHISTORY = Pghistory("pghistory", "django-pghistory")
GENERIC = Generic("generic", "a generic trigger")
THIN = Thin("thin", "thin triggers, a trial")

ALL: tuple[Contender, ...] = (
    NO_AUDIT,
    FLOOR,
    FLOOR_PLAIN,
    AUDITCTL,
    AUDITCTL_SUPERUSER,
    AUDIT_ROW,
    AUDIT_STATEMENT,
    PGHISTORY,
)
"""Every contender of the tables about rows, in their order."""

TITLES = {contender.name: contender.title for contender in (*ALL, GENERIC, THIN)}
