"""auditctl: a write-once activity log inside PostgreSQL."""

from __future__ import annotations

from auditctl.errors import AuditctlError
from auditctl.integrations.psycopg import acting

__all__ = ["AuditctlError", "acting"]
__version__ = "0.1.0"
