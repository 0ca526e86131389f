"""Which lines become events, and what the events say. Pure but for what the database says of auditctl's own lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditctl.log_import.audited_tables import NOTHING, Meant, Targets
from auditctl.log_import.files import LogFile
from auditctl.log_import.pairing import HELD, Pairing, Place, Told
from auditctl.log_import.records import Record
from auditctl.log_import.report import Summary
from auditctl.log_import.scanner import Found
from auditctl.log_import.sources.source import OwnRead, Read
from auditctl.names import OWN_SCHEMAS

QUERY_BYTES = 10_240
"""How much of a statement's text an event keeps."""

_SHOWN = 200
"""How many characters of a forged line are kept."""

_NEVER = (*OWN_SCHEMAS, "pg_catalog", "information_schema", "pg_toast")
"""Schemas that are left out even where every table is taken."""

_PROTOCOL = ("", "PARSE", "BIND", "idle")
"""What a session is at that says nothing of the statement."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which lines count, and what their events say.

    Attributes:
        since: Lines before are left out; None for all.
        with_query: Whether events keep the statement's text.
        any_table: Whether tables count that are not audited.
    """

    since: datetime | None = None
    with_query: bool = False
    any_table: bool = False


class Matching:
    """The lines of one format in their order."""

    def __init__(self, options: Options, summary: Summary, database: str, *, is_kept: bool) -> None:
        self._known = NOTHING
        self._options = options
        self._summary = summary
        self._database = database
        self._pairing = Pairing()
        self._taken: list[dict[str, Any]] = []
        self._forged: list[dict[str, Any]] = []
        self._doubted: set[tuple[str, int]] = set()
        # What is not kept leaves no trace in the database by which the second line of a read would be known.
        self._seen: set[str] | None = None if is_kept else set()
        self.has_made = False

    def begin(self, known: Targets) -> None:
        """Start over with other files; what is held is let go, because its place was not passed."""
        self._known = known
        self._pairing = Pairing()

    @property
    def held(self) -> int:
        """How many lines wait for a line of the policy."""
        return len(self._pairing)

    def take(self, file: LogFile, found: Found, read: Read) -> None:
        """Take a line of pgaudit."""
        record = read.record
        self.release(record.at - HELD)
        if not self._counts(record):
            return
        meant = self._meant(read)
        if meant is None:
            return
        told = Told(
            key=f"{record.session} {read.statement} {record.host} {record.port} {meant.target}",
            at=record.at,
            session=record.session,
            transaction=record.transaction,
            target=meant.target,
            event=self._event(file, read, meant),
            place=found.before,
        )
        if meant.target in self._known.by_policy:
            for released in self._pairing.hold(told):
                self._take(released)
        else:
            self._take(told)

    def take_own(self, file: LogFile, found: Found, read: OwnRead, outcome: str) -> None:
        """Take a line of the policy, of which the database said what became of it."""
        if outcome == "forged":
            self.forged(file, found)
            return
        self._summary.add("known" if self._is_seen(read.json) else outcome)
        self.has_made |= outcome == "made"
        if outcome == "known":
            return  # its read was settled with the line that came first; this one may be a copy in another session
        record = read.record
        told = self._pairing.told(record.session, record.transaction, read.target, read.at)
        if told is not None:
            self._take(told, is_told=True)

    def forged(self, file: LogFile, found: Found) -> None:
        """Take a line that is not believed."""
        record = found.entry.record
        if self.is_foreign(record):
            self._summary.foreign += 1
            return
        if (record.session, record.number) in self._doubted:
            return  # the same line in another format
        self._doubted.add((record.session, record.number))
        place = f"{file.path.name}:{found.before.line + 1}"
        self._summary.add_forged(place)
        self._forged.append({"line": place, "login": record.login, "message": record.message[:_SHOWN]})

    def release(self, before: datetime) -> None:
        """Take the held lines of an earlier time."""
        for released in self._pairing.release(before):
            self._take(released)

    def taken(self) -> list[dict[str, Any]]:
        """Return what auditctl.import_reads is to be given, and let it go."""
        taken, self._taken = self._taken, []
        return taken

    def taken_forged(self) -> list[dict[str, Any]]:
        """Return the lines that are not believed, and let them go."""
        forged, self._forged = self._forged, []
        return forged

    def places(self) -> Iterator[Place]:
        """Yield where the held lines stand, oldest first."""
        return self._pairing.places()

    def context(self, file: LogFile, read: Read | OwnRead) -> dict[str, Any]:
        """Return what the event says of the line it comes from."""
        record = read.record
        return {
            "source": "auditctl",
            "session_id": record.session,
            "line": record.number,
            "application_name": record.application or None,
            "imported_from": file.path.name,
        }

    def is_foreign(self, record: Record) -> bool:
        """Whether a record is of another database."""
        return record.database != self._database

    def _is_seen(self, key: str) -> bool:
        if self._seen is None:
            return False
        is_seen = key in self._seen
        self._seen.add(key)
        return is_seen

    def _take(self, told: Told, *, is_told: bool = False) -> None:
        if self._is_seen(told.key):
            self._summary.known += 1
            return
        self._taken.append({**told.event, "key": told.key, "is_told": is_told})

    def _counts(self, record: Record) -> bool:
        if self.is_foreign(record):
            self._summary.foreign += 1
            return False
        if self._options.since is not None and record.at < self._options.since:
            self._summary.earlier += 1
            return False
        return True

    def _meant(self, read: Read) -> Meant | None:
        if read.relation is None:
            self._summary.nameless += 1
            return None
        or_any = self._options.any_table and not read.relation[0].startswith(("pg_temp_", "pg_toast_"))
        meant = self._known.meant(read.relation, read.record.at, or_any=or_any and read.relation[0] not in _NEVER)
        self._summary.other += meant is None
        return meant

    def _event(self, file: LogFile, read: Read, meant: Meant) -> dict[str, Any]:
        record = read.record
        context = {
            **self.context(file, read),
            **read.context,
            "source": read.source,
            "leaf": meant.leaf,
            "remote_host": None if record.address or record.host in ("", "[local]") else record.host,
            "transaction": None if record.xact_id == "0" else record.xact_id,
        }
        if record.command not in _PROTOCOL:
            context["command"] = record.command
        if self._options.with_query and read.query is not None:
            context["query"] = read.query.encode()[:QUERY_BYTES].decode(errors="ignore")
        return {
            "at": record.at.isoformat(),
            "login": record.login,
            "host": record.address,
            "target": meant.target,
            "context": context,
        }
