"""The registry of formats: one file each. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

from auditctl.log.formats import csv, json_array, json_lines, table
from auditctl.log.formats.format import Format, Layout

FORMATS = (table.FORMAT, json_array.FORMAT, json_lines.FORMAT, csv.FORMAT)
"""Every format; the order of the help. The first is what people read."""

BY_NAME = {some.name: some for some in FORMATS}

EXPORTS = tuple(some for some in (csv.FORMAT, json_lines.FORMAT) if some.copy_options is not None)
"""The formats that the server writes by itself, so that an export of any size streams. The first is the default."""

__all__ = ["BY_NAME", "EXPORTS", "FORMATS", "Format", "Layout"]
