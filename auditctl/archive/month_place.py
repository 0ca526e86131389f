"""Finds the archive that has a month: where it was written to, or where [archive] in the file says that archives are.

An archive that was moved is found by its new path. Whether its manifest is the recorded one, others decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditctl.archive import files, layout
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey


def find(key: MonthKey, location: str, elsewhere: str | None, names: Sequence[str] = (layout.MANIFEST,)) -> Files:
    """Return the archive that has the manifest of a month; the first one if none has it.

    Args:
        key: The month.
        location: Where it was written to.
        elsewhere: Where archives are now, as `settings.Settings.to`; None where nothing states that.
        names: The names under which the manifest may be.

    Raises:
        UsageError: It is not the path of an archive, or what a store needs is not installed.
        OutputError: A place cannot be read.
    """
    written = files.at(location)
    if elsewhere is None or _has(written, key, names):
        return written
    stated = files.at(elsewhere)
    return stated if _has(stated, key, names) else written


def _has(archive: Files, key: MonthKey, names: Sequence[str]) -> bool:
    return any(archive.size(key.path(name)) is not None for name in names)
