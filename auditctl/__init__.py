"""auditctl: a write-once activity log inside PostgreSQL."""

from __future__ import annotations

from auditctl.errors import AuditctlError
from auditctl.integrations.current import acting_as
from auditctl.integrations.psycopg import acting

__all__ = ["AuditctlError", "acting", "acting_as"]
__version__ = "0.1.0"
