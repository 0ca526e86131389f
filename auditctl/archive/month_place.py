"""Finds the archive that has a month: where it was written to, or where [archive] in the file says that archives are.

An archive that was moved is found by its new path. Whether its manifest is the recorded one, others decide.
"""

from __future__ import annotations

from auditctl.archive import files, layout
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey


def find(key: MonthKey, location: str, elsewhere: str | None) -> Files:
    """Return the archive that has the manifest of a month; the first one if none has it.

    Args:
        key: The month.
        location: Where it was written to.
        elsewhere: Where archives are now, as `settings.Settings.to`; None where nothing states that.

    Raises:
        UsageError: It is not the path of an archive, or what a store needs is not installed.
        OutputError: A place cannot be read.
    """
    written = files.at(location)
    if elsewhere is None or written.size(key.path(layout.MANIFEST)) is not None:
        return written
    stated = files.at(elsewhere)
    return written if stated.size(key.path(layout.MANIFEST)) is None else stated
