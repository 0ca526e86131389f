"""The formats of the server's log, each in a file of its own; a file's first bytes say which one it has."""

from __future__ import annotations

from collections.abc import Sequence

from auditctl.log_import.formats import csv_log, json_log
from auditctl.log_import.formats.line_format import LineFormat

FORMATS: Sequence[LineFormat] = (json_log.FORMAT, csv_log.FORMAT)
"""Every format, in the order in which a file is tried and in which the files of a folder are read."""


def format_of(first: bytes) -> LineFormat | None:
    """Return the format of a file that begins like this, or None."""
    return next((form for form in FORMATS if form.begins(first)), None)
