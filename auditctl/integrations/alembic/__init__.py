"""Auditing in the migrations of Alembic: `op.audit_table`, `op.unaudit_table`, and autogenerate that writes them.

Import it in env.py. Models declare rules in `info={"audit": {...}}` of their table, or a file auditctl.toml beside
alembic.ini does. At the end of each revision, capture follows the tables where the coverage guard does not do it.
"""

from __future__ import annotations

from auditctl.integrations.alembic import autogenerate, revisions
from auditctl.integrations.alembic.operations import AuditTable, ReleaseTable, UnauditTable

__all__ = ["AuditTable", "ReleaseTable", "UnauditTable", "autogenerate", "revisions"]
