"""Compares files of an archive with what their manifest says of them, byte by byte. Reads no Parquet."""

from __future__ import annotations

import hashlib

from auditctl.archive.files import Files
from auditctl.archive.manifest import ArchiveError


def check_bytes(files: Files, path: str, size: int | None, sha256: str | None) -> None:
    """Compare the size and the SHA-256 of a file. Raises ArchiveError where they differ, OutputError if unreadable."""
    digest, found = hashlib.sha256(), 0
    for chunk in files.chunks(path):
        digest.update(chunk)
        found += len(chunk)
    if (found, digest.hexdigest()) != (size, sha256):
        raise differs(files, path)


def differs(files: Files, path: str) -> ArchiveError:
    """Return the error of a file that is not what its manifest says."""
    return ArchiveError(
        f"{files.shown(path)} is not as it was written", hint="The disk or another program changed it. Restore a copy."
    )
