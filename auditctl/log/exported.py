"""Checks an exported file: by its manifest without a database, and by what the log has of the export.

Decides what a manifest is and when a file fits it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditctl import clock, own_events, resources
from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log.columns import COLUMNS, Columns
from auditctl.log.exported_file import File, chunks
from auditctl.log.formats import EXPORTS, Format
from auditctl.text import plural

SUFFIX = ".manifest.json"
"""What is added to the name of a file for the name of its manifest."""

PROOFS_SUFFIX = ".proofs"
"""What is added to the name of a file for the name of its proofs, see auditctl.evidence.row_proofs."""

DIGEST = "sha256"
"""The key of a manifest's own digest."""

KIND = "auditctl export"
"""What a manifest says it is of."""

VERSION = 1
"""The version of the manifest."""

_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST_SUBJECT = 60

_LARGEST = 64_000_000
_END = 2**63


def file_name(at: datetime, targets: Sequence[str], output_format: Format, zone: Clock = clock.UTC) -> str:
    """Return the name of an export's file: what it is about, and when to the second, so that no two are the same.

    Args:
        at: When; aware.
        targets: The targets as the filter has them; empty for all.
        output_format: The format.
        zone: By whose clock the time is written.
    """
    local = zone.local(at)
    offset = f"{local:%z}" if local.utcoffset() else "Z"
    subject = _UNSAFE.sub("-", "-".join(targets))[:_LONGEST_SUBJECT].strip("-.")
    return f"activity{subject and '-'}{subject}-{local:%Y-%m-%dT%H%M%S}{offset}.{output_format.file_suffix}"


def digest(document: Mapping[str, Any]) -> str:
    """Return the digest of a manifest: the SHA-256 of its JSON without the digest, with sorted keys and no spaces."""
    rest = {name: value for name, value in document.items() if name != DIGEST}
    canonical = json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def find_manifest(path: Path) -> Path | None:
    """Return the manifest beside a file; of a compressed file also that of the file it was; None without one."""
    return _find_beside(path, (SUFFIX,))


def find_proofs(path: Path) -> Path | None:
    """Return the proofs beside a file, which may be compressed by gzip, too; None without them."""
    return _find_beside(path, (PROOFS_SUFFIX, f"{PROOFS_SUFFIX}.gz"))


def _find_beside(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    names = [path.name, *([path.name[: -len(".gz")]] if path.name.endswith(".gz") else [])]
    candidates = (path.with_name(name + suffix) for name in names for suffix in suffixes)
    return next((found for found in candidates if found.exists()), None)


def read_manifest(path: Path) -> Mapping[str, Any]:
    """Return the manifest in a file.

    Raises:
        UsageError: It cannot be read, or is not a manifest.
    """
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_LARGEST).decode())
        if document["kind"] == KIND and document["version"] == VERSION and _is_whole(document):
            json.dumps(document, ensure_ascii=False).encode()  # half a character cannot be printed
            return dict(document)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="Name it with --manifest.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise UsageError(f"{path} is not a manifest of auditctl export", hint="Name it with --manifest.")


def _is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a manifest has what a check needs, in the types that `auditctl.manifest` writes."""
    facts, export = document["file"], document["export"]
    numbers = (facts["rows"], facts["bytes"], 0 if export["event_id"] is None else export["event_id"])
    return (
        all(type(number) is int and 0 <= number < _END for number in numbers)
        and isinstance(facts["sha256"], str)
        and isinstance(facts["format"], str)
        and _is_choice(facts.get("columns"))
    )


def _is_choice(names: object) -> bool:
    """Whether these may be the columns of an export; None for all of them."""
    return names is None or (
        isinstance(names, list) and bool(names) and all(names.count(name) == 1 and name in COLUMNS for name in names)
    )


def columns_of(written: Mapping[str, Any]) -> Columns | None:
    """Return the columns that were chosen, of what a manifest or the log has of an export; None for all.

    Raises:
        UsageError: They are not columns.
    """
    names = written.get("columns")
    if not _is_choice(names):
        raise UsageError("the export has columns that are not known", hint="Another version of auditctl made it.")
    return None if names is None else tuple(names)


def differences(manifest: Mapping[str, Any], file: File) -> Iterator[str]:
    """Yield what differs between a file and its manifest, each as a sentence; nothing where they fit."""
    if manifest.get(DIGEST) != digest(manifest):
        yield "The manifest was altered: its own digest does not fit it."
    facts = manifest["file"]
    yield from _of_file(facts, file, str(facts.get("format")))


def proofs_digest(manifest: Mapping[str, Any] | None) -> str | None:
    """Return the SHA-256 of a file's proofs, as its manifest has it; None without them."""
    evidence = manifest.get("evidence") if manifest is not None else None
    proofs = evidence.get("proofs") if isinstance(evidence, Mapping) else None
    return str(proofs.get("sha256")) if isinstance(proofs, Mapping) else None


def _of_file(facts: Mapping[str, Any], file: File, format_name: str) -> Iterator[str]:
    if file.damage:
        yield f"The compressed file is damaged or cut off: {file.damage}."
    if facts["sha256"] == file.sha256:
        return
    rows, expected = _rows(file, format_name), facts["rows"]
    if rows is not None and rows != expected:
        yield f"The file has {plural(rows, 'row')}; {expected:,} were exported."
    if file.size != facts["bytes"]:
        yield f"The file has {plural(file.size, 'byte')}; {facts['bytes']:,} were exported."
    yield f"The file was altered: its SHA-256 is {file.sha256}, that of the export {facts['sha256']}."


def _rows(file: File, format_name: str) -> int | None:
    """Count the rows of a file that was altered; None if the format is not known, or the file cannot be read whole."""
    output_format = next((row for row in EXPORTS if row.name == format_name), None)
    if output_format is None or file.damage:
        return None
    if not output_format.has_header:
        return sum(chunk.count(b"\n") for chunk in chunks(file.path))
    records, is_quoted = 0, False
    for chunk in chunks(file.path):
        for number, piece in enumerate(chunk.split(b'"')):
            is_quoted = is_quoted if number == 0 else not is_quoted
            records += 0 if is_quoted else piece.count(b"\n")
    return max(0, records - 1)


@dataclass(frozen=True, slots=True)
class RecordedExport:
    """A complete export, as the log has it.

    Attributes:
        event_id: The event that records its beginning.
        end_id: The event that records its end.
        login: The login that exported.
        user: The user, or the login.
        at: When it ended; aware.
        request: What was asked for: format, order, filters.
        facts: What was written: rows, bytes, sha256 and so on.
    """

    event_id: int
    end_id: int
    login: str
    user: str
    at: datetime
    request: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """Which export it is, for people."""
        at = self.at.astimezone(UTC)
        return (
            f"export {self.event_id} by {self.user} on {at:%Y-%m-%d} at {at:%H:%M:%S} UTC: "
            f"{plural(self.facts.get('rows', 0), 'event')}, {self.facts.get('selection', '')}"
        )


def recorded(conn: Connection, *, sha256: str | None = None, event_id: int | None = None) -> tuple[RecordedExport, ...]:
    """Return the exports that the log has with this content, or with this number; the newest first.

    Source: queries/export_end.sql. Events that somebody forged are left out.

    Raises:
        DatabaseError: The login may not read the log.
    """
    query = resources.sql_text("queries/export_end.sql").encode()
    rows = conn.execute(query, {"sha256": sha256, "export": None if event_id is None else str(event_id)})
    exports = (RecordedExport(*row) for row in rows)
    return tuple(one for one in exports if own_events.is_export(one.request) and own_events.is_export_end(one.facts))


def of_content(exports: Iterable[RecordedExport], file: File) -> tuple[RecordedExport, ...]:
    """Return those of `recorded` whose size is that of the file, the first one first.

    A reader who knows the hash of a file can record that another export wrote it, but not before it was there.
    """
    fitting = (export for export in exports if export.facts.get("bytes") == file.size)
    return tuple(sorted(fitting, key=lambda export: export.end_id))


def differences_from_log(
    manifest: Mapping[str, Any] | None, file: File, exports: tuple[RecordedExport, ...]
) -> Iterator[str]:
    """Yield what differs between a file, its manifest and what the log has of the export, each as a sentence.

    Args:
        manifest: The manifest; None without one.
        file: The file.
        exports: What `recorded` returns: by the manifest's export, or without one by the file's hash.
    """
    if not exports:
        yield (
            "No export of this log has this content."
            if manifest is None
            else (f"The log has no complete export {manifest['export']['event_id']}.")
        )
        return
    export = exports[0]
    yield from _of_file({"rows": 0, "bytes": 0, **export.facts}, file, str(export.request.get("format")))
    if manifest is None:
        return
    if export.facts.get("manifest") not in (None, digest(manifest)):
        yield "The manifest was altered: the log has another digest of it."
    for what, written, known in _facts(manifest, export):
        if written != known:
            yield f"The manifest was altered: the log has another {what}."


def _facts(manifest: Mapping[str, Any], export: RecordedExport) -> Iterator[tuple[str, Any, Any]]:
    """Yield what both a manifest and the log have: what it is, and its two values."""
    for name in ("rows", "bytes", "sha256"):
        yield f"number of {name}" if name != "sha256" else "SHA-256", manifest["file"].get(name), export.facts.get(name)
    for name in ("snapshot", "first_event_id", "last_event_id"):
        yield name.replace("_", " "), manifest.get(name), export.facts.get(name)
    yield "login", manifest["export"].get("login"), export.login
    yield "selection", manifest.get("filters"), export.request.get("filters")
    for name in ("format", "columns"):
        yield f"choice of {name}" if name == "columns" else name, manifest["file"].get(name), export.request.get(name)
