"""Finds the place that a path names: a folder, or an object store by its scheme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from auditctl.archive import object_store
from auditctl.archive.file_access import CHUNK, Files, failures
from auditctl.archive.folder import Folder
from auditctl.archive.object_store import ObjectStore, Store
from auditctl.archive.s3 import S3
from auditctl.errors import UsageError
from auditctl.text import in_quotes

__all__ = ("CHUNK", "STORES", "Files", "at", "failures")

STORES: dict[str, Callable[[], Store]] = {"s3": S3}
"""The object stores, by the scheme of their paths."""


def at(text: str) -> Files:
    """Return the archive at a path: of a folder, `file://` or not, or of an object store, such as `s3://BUCKET/PREFIX`.

    Raises:
        UsageError: It is not such a path, or what the store needs is not installed.
    """
    scheme = _scheme(text)
    if scheme is None:
        return _folder(text)
    return _folder(_local(text)) if scheme == "file" else ObjectStore(STORES[scheme](), text)


def require_absolute(text: str) -> None:
    """Make sure that a path means the same place from every folder. Touches no file, and needs no extra.

    Raises:
        UsageError: It is not the path of an archive, or is relative.
    """
    scheme = _scheme(text)
    if scheme is not None and scheme != "file":
        object_store.root(scheme, text)
        return
    path = text if scheme is None else _local(text)
    if not Path(path).is_absolute() or not path.isprintable():
        raise UsageError(
            f"{in_quotes(text)} is not an absolute path",
            hint="Name a folder such as /srv/archive, or s3://BUCKET/PREFIX.",
        )


def _scheme(text: str) -> str | None:
    """Return the scheme of a path, `file` or of a store; None for a folder without one. Raises UsageError."""
    if not text:
        raise UsageError("the path of the archive is empty", hint="Name a folder, or s3://BUCKET/PREFIX.")
    scheme, separator, _ = text.partition("://")
    if not separator or "/" in scheme:
        return None
    if scheme != "file" and scheme not in STORES:
        known = ", ".join(f"{name}:// (the extra {name})" for name in STORES)
        raise UsageError(f"no archive can be kept at {scheme}://", hint=f"Name a folder, or one of: {known}.")
    return scheme


def _folder(text: str) -> Folder:
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{text} is not a folder")
    return Folder(path.absolute())


def _local(text: str) -> str:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise UsageError(f"{text} does not name a folder of this machine", hint="Such a path is file:///FOLDER.")
    return unquote(parts.path)
