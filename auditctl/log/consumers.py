"""Stores how far a follower has come: in the log's own table of consumers, or in a file.

Sources: auditctl.consumer and its functions (sql/functions/10_log/consumer.sql).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from psycopg.types.json import Jsonb

from auditctl import output
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log.follow import Place
from auditctl.text import in_quotes

MAX_FILE_BYTES = 4_000_000
"""No file with a place in the log is larger."""

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a follower gets.

    Attributes:
        filters: The filters as given, by name.
        format: The format's name.
    """

    filters: Mapping[str, str | list[str]]
    format: str

    def require(self, stored: Subscription, name: str, again: str) -> None:
        """Make sure that what a follower asks for is what it asked for first.

        Raises:
            UsageError: It is something else, which would leave events out or give them twice.
        """
        for what, now, before in (
            ("filters", dict(self.filters), dict(stored.filters)),
            ("format", self.format, stored.format),
        ):
            if now != before:
                text = json.dumps(before, ensure_ascii=False) if before else "none"
                raise UsageError(f"{name} follows with another {what}: {text}", hint=f"Use the same. {again}")


class Bookmark(Protocol):
    """Where a follower's place is stored."""

    @property
    def again(self) -> str:
        """How the follower begins again, as a sentence."""

    @property
    def note(self) -> str:
        """What to know about the place that was opened, as a sentence; empty for nothing."""

    def open(self, conn: Connection, subscription: Subscription, begin: Place, /) -> Place:
        """Return the place that is stored; for a new follower store and return the one to begin at."""

    def save(self, conn: Connection, place: Place, events: int, /) -> None:
        """Store a place, once the events before it, so many since the last time, are written."""


@dataclass(slots=True)
class Consumer:
    """A place in auditctl.consumer.

    Attributes:
        name: The consumer's name.
        process: The server process of the last session; None before the first one.
        note: Empty.
    """

    name: str
    process: int | None = None
    note: str = ""

    @property
    def again(self) -> str:
        """How it begins again."""
        return f"To begin again, drop it: auditctl follow --drop {shlex.quote(self.name)}"

    def open(self, conn: Connection, subscription: Subscription, begin: Place, /) -> Place:
        """Begin or go on.

        Raises:
            UsageError: It follows with other filters or in another format.
            DatabaseError: It belongs to another login, or another session follows.
        """
        texts = begin.as_texts()
        row = conn.execute(
            "select c.process, c.filters, c.format, c.snapshot, c.goal, c.after, c.taken_at "
            "from auditctl.open_consumer(%s, %s, %s, %s, %s, %s) as c",
            [
                self.name,
                Jsonb(subscription.filters),
                subscription.format,
                texts["snapshot"],
                texts["taken_at"],
                self.process,
            ],
        ).fetchone()
        if row is None:
            return begin
        self.process = row[0]
        subscription.require(Subscription(row[1], row[2]), f"the consumer {in_quotes(self.name)}", self.again)
        return Place.parse(*row[3:])

    def save(self, conn: Connection, place: Place, events: int, /) -> None:
        """Move the consumer.

        Raises:
            DatabaseError: It was dropped, or another session follows by now.
        """
        texts = place.as_texts()
        conn.execute(
            "select auditctl.move_consumer(%s, %s, %s, %s, %s, %s)",
            [self.name, texts["snapshot"], texts["goal"], texts["after"], texts["taken_at"], events],
        )


@dataclass(slots=True)
class CursorFile:
    """A place in a file, which is replaced as a whole.

    Attributes:
        path: The file.
        note: Whether the server has failed over or was restored since.
    """

    path: str
    note: str = ""
    _text: str = ""
    _subscription: Subscription = field(default=Subscription({}, ""))

    @property
    def again(self) -> str:
        """How it begins again."""
        return f"To begin again, remove {self.path} or name another file."

    def open(self, conn: Connection, subscription: Subscription, begin: Place, /) -> Place:
        """Begin or go on.

        Raises:
            UsageError: It is not such a file, or follows with other filters or in another format.
        """
        self._subscription = subscription
        text = self._read()
        if text is None:
            self.save(conn, begin, 0)
            return begin
        stored, place, timeline = self._parse(text)
        subscription.require(stored, self.path, self.again)
        if timeline != (now := _timeline(conn)):
            self.note = (
                f"the server failed over, or was set back, since {self.path} was written (timeline {timeline}, now "
                f"{now}): events of transactions that it lost meanwhile may hide new ones"
            )
        self._text = text
        return place

    def save(self, conn: Connection, place: Place, _events: int, /) -> None:
        """Replace the file, once the server has on its disk what the place is about.

        After a crash, a server uses the numbers of transactions again whose end it has not on its disk.

        Raises:
            UsageError: Another follower has changed it, or the folder cannot be written to.
            OutputError: It cannot be written, such as on a full disk.
        """
        if (self._read() or "") != self._text:
            raise UsageError(f"another follower uses {self.path}", hint="Give each follower a file of its own.")
        document = {
            "auditctl_follow": _VERSION,
            "format": self._subscription.format, "filters": dict(self._subscription.filters),
            **place.as_texts(), "timeline": _timeline(conn),
        }  # fmt: skip
        with conn.transaction():
            conn.execute("set local synchronous_commit = on")
            conn.execute("select pg_catalog.pg_logical_emit_message(true, 'auditctl', '')")
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        with output.destination(self.path, stdout=1, force=True) as sink:
            sink.write_texts([text])
        self._text = text

    def _read(self) -> str | None:
        try:
            with Path(self.path).open("rb") as file:
                return file.read(MAX_FILE_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"cannot read {self.path}: {reason}", hint="Name another file.") from error

    def _parse(self, text: str) -> tuple[Subscription, Place, int]:
        try:
            document: Any = json.loads(text)
            stored = {_VERSION: Subscription(document["filters"], document["format"])}[document["auditctl_follow"]]
            taken_at = document["taken_at"]
            place = Place.parse(
                document["snapshot"], document["goal"], document["after"],
                None if taken_at is None else datetime.fromisoformat(taken_at),
            )  # fmt: skip
            timeline = int(document["timeline"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError) as error:
            raise UsageError(
                f"{self.path} is not a cursor of auditctl follow, or not whole", hint=self.again
            ) from error
        return stored, place, timeline


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No place is stored: each run begins anew."""

    again: str = "Begin again."
    note: str = ""

    def open(self, _conn: Connection, _subscription: Subscription, begin: Place, /) -> Place:
        """Begin."""
        return begin

    def save(self, _conn: Connection, _place: Place, _events: int, /) -> None:
        """Store nothing."""


@dataclass(frozen=True, slots=True)
class StoredConsumer:
    """A consumer as it is stored.

    Attributes:
        name: Its name.
        owner: The login that follows.
        filters: The filters as given first, by name.
        format: The format's name.
        events: How many events were written, repeated ones included.
        created_at: When it began.
        read_at: When it last read the log.
        snapshot: The snapshot up to which everything was written; None for nothing.
    """

    name: str
    owner: str
    filters: Mapping[str, Any]
    format: str
    events: int
    created_at: datetime
    read_at: datetime
    snapshot: str | None


def _timeline(conn: Connection) -> int:
    """Return the server's timeline, which a promotion and a restore to an earlier time change."""
    row = conn.execute("select timeline_id from pg_catalog.pg_control_checkpoint()").fetchone()
    return row[0] if row else 0


def read(conn: Connection) -> tuple[StoredConsumer, ...]:
    """Return the consumers by name."""
    rows = conn.execute(
        "select name, owner, filters, format, events, created_at, read_at, snapshot "
        'from auditctl.consumer order by name collate "C"'
    )
    return tuple(StoredConsumer(*row) for row in rows)


def drop(conn: Connection, name: str) -> None:
    """Drop a consumer.

    Raises:
        DatabaseError: No consumer has that name, it belongs to another login, or a session follows as this consumer.
    """
    conn.execute("select auditctl.drop_consumer(%s)", [name])
