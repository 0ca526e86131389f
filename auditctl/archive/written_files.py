"""Reads back what was written: an archived month counts only once its files, read from the disk, have its events."""

from __future__ import annotations

from collections.abc import Callable

from auditctl.archive import file_check, parts
from auditctl.archive.files import Files
from auditctl.archive.manifest import Manifest
from auditctl.archive.packed import ContentDigest

_EVERY = 10_000
"""After how many events it says how far it is."""


def check(files: Files, manifest: Manifest, report: Callable[[int], None]) -> None:
    """Read all files of a month.

    Args:
        files: The archive.
        manifest: What they should be.
        report: What takes how many events were read.

    Raises:
        ArchiveError: A file, or an event in it, is not what the manifest says.
        OutputError: A file cannot be read.
    """
    proof = manifest.evidence
    if proof is not None:
        file_check.check_bytes(files, manifest.evidence_path, proof.get("bytes"), proof.get("sha256"))
    content = ContentDigest()
    for part in manifest.parts:
        file_check.check_bytes(files, manifest.key.path(part.name), part.bytes, part.sha256)
        before = content.events
        for fields in parts.read(files, manifest.key.path(part.name)):
            content.add(fields)
            if content.events % _EVERY == 0:
                report(content.events)
        if content.events - before != part.rows:
            raise file_check.differs(files, manifest.key.path(part.name))
    if (content.events, content.hexdigest()) != (manifest.rows, manifest.content):
        raise file_check.differs(files, manifest.key.folder)
