"""Defines a record of the server's log, in any format, and parses the time it was written. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from auditctl.addresses import parse_address

_SESSION = re.compile(r"([0-9a-f]{1,12})\.[0-9a-f]{1,8}", re.ASCII)
_NUMERIC_ZONE = re.compile(r"([+-])([0-9]{2})(?::?([0-9]{2}))?", re.ASCII)
_UNIVERSAL = ("UTC", "GMT", "Z")


class Malformed(Exception):
    """A line is not a record of the server's log."""


class UnknownZone(Malformed):
    """The time of a line has an abbreviation of a time zone, such as `CET`, whose offset is not known."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        at: When it was written.
        login: The session's login; empty for the server's own processes.
        database: The session's database.
        host: Address or name of the client, `[local]` for a socket; empty where unknown.
        port: The client's port, as text; empty for a socket.
        session: The session's id: start and process; empty if unknown.
        number: The record's number in its session; 0 if unknown.
        command: The session's command tag, such as `SELECT` or `BIND`.
        transaction: The virtual transaction id.
        xact_id: The transaction id; `0` for none.
        state: SQLSTATE; empty if unknown.
        message: The message.
        is_bare: Whether the record has neither context nor statement, detail or hint, which every
            record that a login can make the server write has; None if the format does not show it.
        file: The source file in the server, where log_error_verbosity is `verbose`; else empty.
        application: application_name.
        severity: Such as `LOG` or `ERROR`, in English whatever lc_messages is.
        statement: The statement that failed or that wrote the record; empty if unknown.
        process: The process id, as text, of a record of text, whose session and number may be unknown; else empty.
        line: What a record of text says is the number of its line in the session; else empty.
        is_doubtful: Whether a client may have written the record through a name in the prefix of a line.
    """

    at: datetime
    login: str
    database: str
    host: str
    port: str
    session: str
    number: int
    command: str
    transaction: str
    xact_id: str
    state: str
    message: str
    is_bare: bool | None
    file: str
    application: str
    severity: str
    statement: str = ""
    process: str = ""
    line: str = ""
    is_doubtful: bool = False

    @property
    def address(self) -> str | None:
        """The client's address, or None where it is a socket or a name."""
        return _address(self.host)


class Clock:
    """Parses the times of a log; remembers the UTC offset of an abbreviation such as `CET`.

    An abbreviation is not unique, but each record has the start of its session twice: as text in the same zone, and in
    the session's id. Records of text need not have it; then the zone of the log says what the abbreviation means.
    """

    __slots__ = ("_offsets", "_zone")

    def __init__(self, zone: ZoneInfo | None = None) -> None:
        self._offsets: dict[str, timedelta] = {}
        self._zone = zone

    def read(self, text: str, session: str, session_start: str) -> datetime:
        """Return the time that a text such as `2026-11-25 01:15:36.601 CET` means.

        Raises:
            Malformed: It is not a valid time.
        """
        local, zone = _split(text)
        started, start_zone = _split(session_start)
        if not (match := _SESSION.fullmatch(session)):
            raise Malformed("no session")
        try:
            offset = started - datetime.fromtimestamp(int(match[1], 16), UTC).replace(tzinfo=None)
            self._offsets[start_zone] = offset
            offset = self._offsets.get(zone, offset)
            if (named := _named_offset(zone)) is not None:
                offset = named
            return local.replace(tzinfo=timezone(offset)).astimezone(UTC)
        except (OverflowError, ValueError, OSError) as error:
            raise Malformed("not a valid time") from error

    def read_alone(self, text: str) -> datetime:
        """Return the time that a text means, without a session.

        Raises:
            UnknownZone: The abbreviation is not one of the log's zone at that time.
            Malformed: It is not a valid time.
        """
        local, zone = _split(text)
        offset = _named_offset(zone)
        if offset is None and self._zone is not None:
            offset = _offset_in(self._zone, local, zone)
        if offset is None:
            raise UnknownZone(zone)
        try:
            return local.replace(tzinfo=timezone(offset)).astimezone(UTC)
        except (OverflowError, ValueError) as error:
            raise Malformed("not a valid time") from error


def clean(text: str) -> str:
    """Return the text with U+FFFD for characters that a database cannot store."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


@lru_cache(maxsize=1024)
def _address(host: str) -> str | None:
    try:
        return str(parse_address(host.partition("%")[0]))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[datetime, str]:
    parts = text.split(" ")
    if len(parts) != 3:
        raise Malformed("not a time")
    try:
        return datetime.fromisoformat(f"{parts[0]} {parts[1]}"), parts[2]
    except ValueError as error:
        raise Malformed("not a time") from error


def _offset_in(zone: ZoneInfo, local: datetime, abbreviation: str) -> timedelta | None:
    """Return the offset of a local time for which the zone has the abbreviation; None if it has another one then."""
    moments = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return next((moment.utcoffset() for moment in moments if moment.tzname() == abbreviation), None)


def _named_offset(zone: str) -> timedelta | None:
    if zone in _UNIVERSAL:
        return timedelta()
    if match := _NUMERIC_ZONE.fullmatch(zone):
        duration = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return -duration if match[1] == "-" else duration
    return None
