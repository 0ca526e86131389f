"""Finds and reads the files of sql/ and migrations/: in an installed package, or next to it in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder `sql` or `migrations`.

    A wheel has it inside the package; a checkout, and so an editable install, next to the package.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"auditctl's folder {name} is missing from {_PACKAGE}")


def sql_text(path: str) -> str:
    """Return the text of a file below sql/, such as `queries/relation.sql`; each is read once."""
    return _sql_text(_PACKAGE, path)


@cache
def _sql_text(_package: Path, path: str) -> str:
    return (folder("sql") / path).read_text(encoding="utf-8")


def sql_texts(path: str) -> list[str]:
    """Return the texts of all files below a folder of sql/, such as `functions`, in the order of their paths."""
    return [file.read_text(encoding="utf-8") for file in sorted((folder("sql") / path).rglob("*.sql"))]
