"""The registry of checks: one row each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from auditctl.doctor.of_capture import CAPTURE
from auditctl.doctor.of_log import LOG
from auditctl.doctor.of_reading import READING
from auditctl.doctor.of_retention import RETENTION
from auditctl.doctor.of_roles import ROLES
from auditctl.doctor.of_server import SERVER

CHECKS = (*LOG, *RETENTION, *CAPTURE, *READING, *ROLES, *SERVER)
"""Every check, in the order of the reference: capture can be mended only in a sound store."""
