"""The formats of the server's log, each in a file of its own; a file's first lines say which one it has."""

from __future__ import annotations

from collections.abc import Sequence

from auditctl.log_import.formats import azure, cloud_sql, cloudnative_pg, csv_log, json_log, rds, stderr, syslog
from auditctl.log_import.formats.line_format import Detected, FormatKind, LogSettings

FORMATS: Sequence[FormatKind] = (
    json_log.KIND,
    csv_log.KIND,
    cloudnative_pg.KIND,
    cloud_sql.KIND,
    azure.KIND,
    syslog.KIND,
    rds.KIND,
    stderr.KIND,
)
"""Every format, in the order in which a file is tried and in which the files of a folder are read."""


def format_of(head: Sequence[bytes], settings: LogSettings | None = None) -> Detected | None:
    """Return the format of a file with these first lines, at least one; None if it is none of these."""
    known = settings or LogSettings()
    return next((found for kind in FORMATS if (found := kind.detect(head, known)) is not None), None)
