"""The manifest of an archived month: what its files are, and what readers need beside the events.

Decides when a text is a manifest. Its digest is recorded in the log, so that an altered one is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from auditctl.archive import layout
from auditctl.archive.columns import SCHEMA_VERSION
from auditctl.archive.layout import MonthKey
from auditctl.errors import AuditctlError

KIND = "auditctl archive"
"""What a manifest says it is of."""

VERSION = 1
"""The version of manifests."""

_EVENT_IDS = ("first_event_id", "last_event_id")


class ArchiveError(AuditctlError):
    """An archive is not as it should be, or cannot be read or written."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A file of events.

    Attributes:
        name: Its name in the month's folder.
        rows: How many events it has.
        bytes: Its size.
        sha256: The SHA-256 of its bytes, in hexadecimal digits.
        first_occurred_at: When its first event was captured, as text in UTC.
        last_occurred_at: When its last event was captured.
    """

    name: str
    rows: int
    bytes: int
    sha256: str
    first_occurred_at: str
    last_occurred_at: str


@dataclass(frozen=True, slots=True)
class Target:
    """A target as the log knew it when the month was archived.

    Attributes:
        name: As events have it.
        label: What people read; None where that is the name.
        later_name: The next name of a table that was renamed.
        key_columns: The columns of its key.
        key_types: Their types, as PostgreSQL writes them; empty if unknown.
    """

    name: str
    label: str | None = None
    later_name: str | None = None
    key_columns: tuple[str, ...] = ()
    key_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rename:
    """A rename of a table.

    Attributes:
        renamed_at: The time from which events have the new name, as text in UTC.
        old_target: The name before.
        new_target: The name after.
    """

    renamed_at: str
    old_target: str
    new_target: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archived month is.

    Attributes:
        key: The database and the month.
        rows: How many events it has.
        first_event_id: The smallest number of an event; None without events.
        last_event_id: The largest one.
        content: The digest of its events in the order of the files (`packed.ContentDigest`).
        parts: Its files, in the order of their events: by time, then by number.
        targets: Every target of the log, when it was archived.
        renames: Every rename, when it was archived.
        store: Which database it came from: `system_identifier`, `database_oid`, `server_version`, `lower_is_ascii`.
        archived_at: When, as text in UTC.
        evidence: What proves its events; None where the log was not sealed.
    """

    key: MonthKey
    rows: int
    first_event_id: int | None
    last_event_id: int | None
    content: str
    parts: tuple[Part, ...]
    targets: tuple[Target, ...]
    renames: tuple[Rename, ...]
    store: Mapping[str, Any]
    archived_at: str
    evidence: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        document = {name: value for name, value in asdict(self).items() if name != "key"}
        return {
            "kind": KIND, "version": VERSION, "schema": SCHEMA_VERSION, "database": self.key.database,
            "month": self.key.month, **document,
        }  # fmt: skip

    def to_bytes(self) -> bytes:
        """Return it as JSON in UTF-8, ending with its own digest."""
        document = self.as_dict()
        return json.dumps({**document, "sha256": digest(document)}, ensure_ascii=False, indent=1).encode() + b"\n"

    @property
    def names(self) -> frozenset[str]:
        """The names of its files with events, and of that with their evidence."""
        return frozenset((*(part.name for part in self.parts), *([self.evidence_name] if self.evidence else [])))

    @property
    def evidence_name(self) -> str:
        """The name of the file with the evidence."""
        return str((self.evidence or {}).get("file", layout.EVIDENCE))

    @property
    def evidence_path(self) -> str:
        """The path of the file with the evidence within the archive."""
        return self.key.path(self.evidence_name)

    @property
    def digest(self) -> str:
        """The SHA-256 of its content, in hexadecimal digits, as the log records it."""
        return digest(self.as_dict())


def digest(document: Mapping[str, Any]) -> str:
    """Return the digest of a manifest: the SHA-256 of its JSON without the digest, with sorted keys and no spaces."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    canonical = json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def parse(data: bytes, key: MonthKey) -> Manifest:
    """Return the manifest of a month.

    Args:
        data: The bytes of its file.
        key: The month whose folder it is in.

    Raises:
        ArchiveError: It is not a manifest, is that of another month, or was altered.
    """
    where = key.path(layout.MANIFEST)
    try:
        document = json.loads(data.decode())
        is_ours = document["kind"] == KIND
        manifest = _manifest(document) if is_ours and document["version"] == VERSION else None
        # Half of a surrogate pair, which no output takes, has no digest.
        is_sound = manifest is not None and document["sha256"] == manifest.digest
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ArchiveError(
            f"{where} is not a manifest", hint="It was altered, or is not of auditctl archive."
        ) from None
    if manifest is None:
        raise ArchiveError(f"{where} is not a manifest of this version", hint="Another version of auditctl wrote it.")
    if manifest.key != key:
        raise ArchiveError(f"{where} is the manifest of {manifest.key.folder}", hint="The folder was moved.")
    if not is_sound:
        raise ArchiveError(f"{where} was altered: its own digest does not fit it", hint="Restore it from a copy.")
    return manifest


def _manifest(document: Mapping[str, Any]) -> Manifest:
    first, last = (None if document[name] is None else _count(document[name]) for name in _EVENT_IDS)
    return Manifest(
        key=MonthKey(_text(document["database"]), _text(document["month"])),
        rows=_count(document["rows"]),
        first_event_id=first,
        last_event_id=last,
        content=_text(document["content"]),
        parts=_parts(document["parts"]),
        targets=tuple(_row(Target, one) for one in document["targets"]),
        renames=tuple(_row(Rename, one) for one in document["renames"]),
        store=dict(document["store"]),
        archived_at=_text(document["archived_at"]),
        evidence=_evidence(document["evidence"]),
    )


def _row(kind: type[Any], document: Mapping[str, Any]) -> Any:
    names = [field.name for field in fields(kind)]
    if sorted(document) != sorted(names):
        raise ValueError(kind.__name__)
    return kind(**{name: _READERS.get(name, _text)(document[name]) for name in names})


def _parts(rows: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    parts = tuple(_row(Part, one) for one in rows)
    # What follows relies on it that a name is that of a file in the month's folder, and of one only once.
    if not all(layout.is_part(part.name) and part.rows and part.bytes for part in parts):
        raise ValueError("parts")
    if len({part.name for part in parts}) < len(parts):
        raise ValueError("parts")
    return parts


def _evidence(document: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if document is None:
        return None
    _evidence_name(document.get("file", layout.EVIDENCE))
    return {**document, **{name: read(document[name]) for name, read in _OF_EVIDENCE.items()}}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _moment(value: object) -> str:
    text = _text(value)
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(text)
    return text


def _evidence_name(value: object) -> None:
    if not layout.is_evidence(_text(value)):
        raise ValueError(value)


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_text, value))


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError
    return value


_READERS: dict[str, Callable[[object], object]] = {
    "rows": _count, "bytes": _count, "first_occurred_at": _moment, "last_occurred_at": _moment, "renamed_at": _moment,
    "label": _optional, "later_name": _optional, "key_columns": _texts, "key_types": _texts,
}  # fmt: skip
"""What reads the values that are no texts, by name."""

_OF_EVIDENCE: dict[str, Callable[[object], object]] = {
    "bytes": _count, "sha256": _text, "events": _count, "tree_size": _count, "root": _text, "note": _text,
}  # fmt: skip
"""What reads the values of the evidence that others rely on."""


def newest(manifests: Sequence[Manifest]) -> Manifest:
    """Return the one that was archived last: it knows every target that the others know."""
    return max(manifests, key=lambda manifest: (manifest.archived_at, manifest.key))
