"""Examines the files of archived months, wherever they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from auditctl.archive import inspection
from auditctl.archive.inspection import RecordedMonth
from auditctl.doctor.model import ResultRow


def broken(rows: Sequence[ResultRow], day: date) -> Sequence[ResultRow]:
    """Return the months whose files are missing, altered or unreadable, of those that the log recorded."""
    names = ("month", "location", "database", "manifest", "elsewhere")
    problems = inspection.inspect((RecordedMonth(*(row[name] for name in names)) for row in rows), day)
    return [{**row, "problem": problems[row["month"]]} for row in rows if row["month"] in problems]
