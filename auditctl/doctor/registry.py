"""The registry of checks: one row each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from auditctl.doctor.checks.capture import CAPTURE
from auditctl.doctor.checks.evidence import EVIDENCE
from auditctl.doctor.checks.log import LOG, PLACE
from auditctl.doctor.checks.reads import READS
from auditctl.doctor.checks.retention import RETENTION
from auditctl.doctor.checks.roles import ROLES
from auditctl.doctor.checks.server import SERVER

CHECKS = (PLACE, *LOG, *RETENTION, *EVIDENCE, *CAPTURE, *READS, *ROLES, *SERVER)
"""Every check, in the order of the reference: the store is repaired before capture."""
