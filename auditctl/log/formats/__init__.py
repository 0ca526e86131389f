"""The registry of formats: one file each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from auditctl.log.formats import csv, json_array, json_lines, ocsf, table
from auditctl.log.formats.format import Format, Layout

FORMATS = (table.FORMAT, json_array.FORMAT, csv.FORMAT, csv.EXCEL, json_lines.FORMAT, ocsf.FORMAT)
"""Every format, in the order of the help. The first is the default of commands that print."""

BY_NAME = {row.name: row for row in FORMATS}

EXPORTS = tuple(row for row in FORMATS if row.copy_options is not None)
"""The formats that COPY can write, so that an export of any size streams. The first is the default of exports."""

LINES = tuple(row for row in EXPORTS if not row.has_header)
"""The exported formats of one line for each event. The first is the default of `follow`."""

__all__ = ["BY_NAME", "EXPORTS", "FORMATS", "LINES", "Format", "Layout"]
