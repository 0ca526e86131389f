"""Examines the files of archived months, wherever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from auditctl.archive import inspection
from auditctl.archive.inspection import AbsentArchive, RecordedMonth
from auditctl.doctor.model import ResultRow
from auditctl.log.archived_months import month_ranges


def broken(rows: Sequence[ResultRow], day: date) -> Sequence[ResultRow]:
    """Return the archives that are not there, and the months of others whose files are missing, altered or unreadable.

    Args:
        rows: The months that the log recorded.
        day: The day, which decides whose bytes are compared.
    """
    names = ("month", "location", "database", "manifest", "elsewhere")
    months = {row["month"]: RecordedMonth(*(row[name] for name in names)) for row in rows}
    by_month = {row["month"]: row for row in rows}
    absent = list(inspection.find_absent(months.values()))
    for month in (month for one in absent for month in one.months):
        del months[month]
    problems = inspection.inspect(months.values(), day)
    return [
        *(_of_archive(one, by_month) for one in absent),
        *({**row, "problem": problems[row["month"]]} for row in rows if row["month"] in problems),
    ]


def _of_archive(absent: AbsentArchive, rows: Mapping[str, ResultRow]) -> ResultRow:
    severities = {rows[month]["severity"] for month in absent.months}
    return {
        **rows[absent.months[0]],
        "object": f"archive {absent.location}",
        "month": month_ranges(absent.months),
        "problem": absent.problem,
        "severity": "critical" if "critical" in severities else "warning",
        "remedy": "If the archive was moved, state where it is now, as `to` of [archive] in the file. Else"
        " restore it from a copy.",
    }
