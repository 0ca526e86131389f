"""Finds sql/ and migrations/, which lie inside an installed package and beside it in a checkout.

Decides where files are; never reads anything but text.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder `sql` or `migrations`.

    An installed wheel carries it inside the package; a checkout (also an editable install) has it beside the package.

    Raises:
        FileNotFoundError: The installation is damaged.
    """
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"auditctl's folder {name} is missing beside {_PACKAGE}")


def sql_text(path: str) -> str:
    """Return the text of a file below sql/, such as `queries/relation.sql`."""
    return (folder("sql") / path).read_text(encoding="utf-8")


def sql_texts(path: str) -> list[str]:
    """Return the texts of all files below a folder of sql/, such as `functions`, in the order of their paths."""
    return [file.read_text(encoding="utf-8") for file in sorted((folder("sql") / path).rglob("*.sql"))]
