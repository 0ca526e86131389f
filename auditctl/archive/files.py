"""Finds the place that a path names: a folder, or an object store by its scheme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from auditctl.archive.file_access import CHUNK, Files, failures
from auditctl.archive.folder import Folder
from auditctl.archive.object_store import ObjectStore, Store
from auditctl.archive.s3 import S3
from auditctl.errors import UsageError

__all__ = ("CHUNK", "STORES", "Files", "at", "failures")

STORES: dict[str, Callable[[], Store]] = {"s3": S3}
"""The object stores, by the scheme of their paths."""


def at(text: str) -> Files:
    """Return the archive at a path: of a folder, `file://` or not, or of an object store, such as `s3://BUCKET/PREFIX`.

    Raises:
        UsageError: It is not such a path, or what the store needs is not installed.
    """
    if not text:
        raise UsageError("the path of the archive is empty", hint="Name a folder, or s3://BUCKET/PREFIX.")
    scheme, separator, _ = text.partition("://")
    if not separator or "/" in scheme:
        return _folder(text)
    if scheme == "file":
        return _folder(_local(text))
    if scheme not in STORES:
        known = ", ".join(f"{name}:// (the extra {name})" for name in STORES)
        raise UsageError(f"no archive can be kept at {scheme}://", hint=f"Name a folder, or one of: {known}.")
    return ObjectStore(STORES[scheme](), text)


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
