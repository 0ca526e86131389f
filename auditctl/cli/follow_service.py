"""Follows the log for `auditctl follow`: writes, stores the place, waits, and connects again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from auditctl import database
from auditctl import place as store_place
from auditctl.cli.printing import print_message, print_warning
from auditctl.cli.session import READER, Session
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.log import archived_months, follow
from auditctl.log.consumers import Bookmark, Consumer, CursorFile, Subscription
from auditctl.log.filters import Filters
from auditctl.log.follow import Follower, Place
from auditctl.log.formats import Format, Layout
from auditctl.log.snapshot import START, Snapshot
from auditctl.output import Sink
from auditctl.text import plural

RETRY_SECONDS = (1.0, 60.0)
"""How long it waits before it connects again: at first, doubled each time, and at most."""

SAVE_SECONDS = 300.0
"""How often the place is stored while no events come, so that others see that somebody follows."""

_PASSING = ("08", "40", "53", "55", "57")
"""Classes of SQLSTATE after which it is worth trying again."""

_FOLLOWED = "55006"
"""The SQLSTATE where another session follows as the same consumer."""

# The server then notices within a minute or two that this side is gone, and frees the consumer.
_SESSION = (
    "set idle_session_timeout = 0; set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; "
    "set tcp_keepalives_count = 6"
)


@dataclass(frozen=True, slots=True)
class Job:
    """What to follow.

    Attributes:
        filters: Which events.
        format: A format of one line for each event.
        bookmark: Where the place is stored.
        begin: Where a follower begins that has stored nothing: `start`, `now`, or a snapshot.
        every: How often to look for events; None to end when everything is written.
    """

    filters: Filters
    format: Format
    bookmark: Bookmark
    begin: Snapshot | str
    every: timedelta | None


@dataclass(slots=True)
class _Run:
    """A run through all its connections.

    Attributes:
        session: The options before the command.
        job: What to follow.
        sink: Where to write.
        place: How far it has come; None before the first connection.
        events: The number of events written.
        unsaved: How many of them the bookmark does not know about.
        retry: How many seconds to wait before the next connection.
        archived: The months of which it was said that they are in an archive alone.
    """

    session: Session
    job: Job
    sink: Sink
    place: Place | None = None
    events: int = 0
    unsaved: int = 0
    retry: float = RETRY_SECONDS[0]
    archived: set[str] = field(default_factory=set)

    def follow(self) -> None:
        """Follow over one connection, until everything is written or an error ends it."""
        with self.session.connect(READER) as conn:
            store_place.require(conn)
            conn.execute(_SESSION)
            place = self._open(conn)
            follower = Follower(conn, self.job.filters, self.job.format, self.job.bookmark.again)
            saved_at = time.monotonic()
            while True:
                page = follower.read(place)
                self._write(page.documents)
                if place.goal is not None and page.place.goal is None:
                    self._warn_of_archived(conn, place)  # dropped while several pages were read
                self.place = place = page.place
                self.retry = RETRY_SECONDS[0]
                is_end = page.is_last and self.job.every is None
                if page.documents or is_end or time.monotonic() - saved_at >= SAVE_SECONDS:
                    self.job.bookmark.save(conn, place, self.unsaved)
                    self.unsaved, saved_at = 0, time.monotonic()
                if page.is_last:
                    if self.job.every is None:
                        return
                    _wait(self.sink, self.job.every)

    def _open(self, conn: Connection) -> Place:
        """Find the place to go on from."""
        begin = self.job.begin if self.place is None else START
        first = follow.first_place(conn, begin, self.job.bookmark.again)  # raises on a standby
        self.job.filters.resolve(conn)  # raises before anything is stored
        if self.place is not None:
            self.job.bookmark.open(conn, self._subscription(), self.place)
            return self.place
        place = self.job.bookmark.open(conn, self._subscription(), first)
        if place == first and not isinstance(self.job.bookmark, Consumer):
            self._record(conn)
        if note := self.job.bookmark.note:
            print_warning(note)
        if place.taken_at is not None and (months := follow.months_expired(conn, place.taken_at)):
            print_warning(f"retention deleted events of {', '.join(months)} that may not have been written before")
        self._warn_of_archived(conn, place)
        return place

    def _warn_of_archived(self, conn: Connection, place: Place) -> None:
        """Say once of each month that is newer than a place and in an archive alone that it may not be written."""
        values, now = self.job.filters.values, datetime.now(UTC)
        since, until = (values[name][0].at(now) if name in values else None for name in ("since", "until"))
        since = max((some for some in (since, place.taken_at) if some is not None), default=None)
        found = archived_months.find(conn, self.job.filters.resolve(conn).targets, since, until)
        months = tuple(month for month in found.months if month not in self.archived)
        if not months:
            return
        self.archived.update(months)
        found = replace(found, months=months)
        print_warning(f"events of {found.names} may not have been written: they are in {found.archive} alone")
        first, end = f"{months[0]}-01", f"{archived_months.following(months[-1])}-01"
        print_message(
            "hint: To read them, with the same filters and format: "
            f"auditctl export --everywhere --since {first} --until {end}"
        )

    def _subscription(self) -> Subscription:
        return Subscription(self.job.filters.as_dict(), self.job.format.name)

    def _record(self, conn: Connection) -> None:
        """Record that somebody begins to follow; a consumer records it by itself."""
        data = {"format": self.job.format.name, "filters": self.job.filters.as_dict(), "follow": True}
        if isinstance(self.job.bookmark, CursorFile):
            data["cursor"] = self.job.bookmark.path
        conn.execute("select auditctl.record_export(%s)", [Jsonb(data)])

    def _write(self, documents: tuple[str, ...]) -> None:
        if documents:
            with self.sink.whole():
                self.sink.write_texts(self.job.format.write(((one,) for one in documents), Layout()))
            self.events += len(documents)
            self.unsaved += len(documents)


def run(session: Session, job: Job, sink: Sink) -> None:
    """Follow until everything is written, or as a service until SIGINT or SIGTERM, which is the regular end.

    Raises:
        DatabaseError: The login may not follow, or without `every` the connection is lost.
        UsageError: The place or the filters do not fit.
        OutputError: The events cannot be written; the place is still before them.
        BrokenPipeError: Nobody reads any more.
    """
    database.require_readable(session.dsn)
    sink.begin_line()
    one = _Run(session, job, sink)
    if job.every is None:
        one.follow()
        session.say(f"Wrote {plural(one.events, 'event')}; up to date.")
        return
    try:
        while True:
            try:
                one.follow()
            except DatabaseError as error:
                if not _is_passing(error):
                    raise
                print_warning(f"{error}; trying again in {one.retry:g} s")
                if error.hint:
                    print_message(f"hint: {error.hint}")
            _wait(sink, timedelta(seconds=one.retry))
            one.retry = min(one.retry * 2, RETRY_SECONDS[1])
    except KeyboardInterrupt:
        session.say(f"Stopped; wrote {plural(one.events, 'event')}.")


def _is_passing(error: DatabaseError) -> bool:
    return error.sqlstate is None or (error.sqlstate[:2] in _PASSING and error.sqlstate != _FOLLOWED)


def _wait(sink: Sink, duration: timedelta) -> None:
    """Wait, but no longer than somebody reads.

    Raises:
        BrokenPipeError: Nobody reads any more.
    """
    if sink.is_abandoned(duration.total_seconds()):
        raise BrokenPipeError
