"""Where the files of an archive are: `database=NAME/month=2026-05/part-0001.parquet`, as Hive and all engines read it.

A month's manifest is beside its parts. It is written last, so that a month without one is not complete. Names that
start with an underscore are no data to an engine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

MANIFEST = "_manifest.json"
"""The name of a month's manifest."""

NEXT = "_manifest.next.json"
"""The name of the manifest that will replace a month's as soon as the log has recorded it: values are being erased."""

EVIDENCE = "_evidence.parquet"
"""The name of what proves a month's events, where the log was sealed and no value was erased since."""

ATTEMPT = "_attempt.json"
"""The name of what says whose files a month without a manifest has."""

DELETION = "_deletion.json"
"""The name of what says which files of a month are being deleted: a copy of its manifest."""

_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_DATABASE = "database="
_FOLDER = re.compile(r"database=([^/=]+)/month=([0-9]{4}-(?:0[1-9]|1[0-2]))")
_PART = re.compile(r"part-([0-9]{4,})\.parquet")
_EVIDENCE = re.compile(r"_evidence(?:-[0-9]{4,})?\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class MonthKey:
    """A month of a database.

    Attributes:
        database: The name of the database.
        month: The month in UTC, such as 2026-05.
    """

    database: str
    month: str

    @property
    def folder(self) -> str:
        """The path of its folder within the archive, with slashes."""
        return f"{database_folder(self.database)}/month={self.month}"

    def path(self, name: str) -> str:
        """Return the path of one of its files within the archive."""
        return f"{self.folder}/{name}"

    @classmethod
    def of_folder(cls, path: str) -> MonthKey | None:
        """Return the month of a folder's path within the archive; None for any other path.

        Another spelling of the same name is such a path, too: `database=%73hop` is not the folder of `shop`.
        """
        match = _FOLDER.fullmatch(path)
        key = None if match is None else cls(unquote(match[1]), match[2])
        return key if key is not None and key.folder == path else None


def database_folder(name: str) -> str:
    """Return the folder of a database, in whose name other characters than letters and digits are percent-encoded."""
    return f"database={quote(name, safe='')}"


def databases(folders: Iterable[str]) -> list[str]:
    """Return the names of the databases of which there are folders, sorted."""
    names = [(folder, unquote(folder.removeprefix(_DATABASE))) for folder in folders]
    return sorted(name for folder, name in names if folder == database_folder(name))


def part(number: int) -> str:
    """Return the name of a part; the first has the number 1."""
    return f"part-{number:04}.parquet"


def is_part(name: str) -> bool:
    """Return whether a file's name is that of a part."""
    return _PART.fullmatch(name) is not None


def next_part(names: Iterable[str]) -> int:
    """Return the number of the part that follows those among some names."""
    return max((int(match[1]) for name in names if (match := _PART.fullmatch(name))), default=0) + 1


def evidence(number: int) -> str:
    """Return the name of what proves a month's events, written anew together with the part of this number."""
    return f"_evidence-{number:04}.parquet"


def is_evidence(name: str) -> bool:
    """Return whether a file's name is that of what proves a month's events."""
    return _EVIDENCE.fullmatch(name) is not None


def is_month(text: str) -> bool:
    """Return whether a text is a month, such as 2026-05."""
    return _MONTH.fullmatch(text) is not None


def is_unfinished(names: Collection[str]) -> bool:
    """Return whether the files of a complete month are being written anew, or that was stopped."""
    return MANIFEST in names and (NEXT in names or ATTEMPT in names)


UNFINISHED = (
    "is being written anew, or that was stopped: erased values may still be there. To finish it: auditctl archive"
)
"""The end of a sentence about the folder of such a month."""
