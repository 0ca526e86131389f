"""The connections of one visitor: each opened with their own login and password, so that PostgreSQL decides.

A connection is used by one request at a time and is closed when it was idle for a while or is old, so that a login that
was locked, or lost its password, loses its way in as well. Why not psycopg_pool: it keeps threads for each pool, and
retries in the background what must fail at once with the server's own words.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import AuditctlError, DatabaseError
from auditctl.web.errors import Busy

IDLE_SECONDS = 60.0
LIFE_SECONDS = 300.0
LIMIT = 4
"""How many requests of one visitor may use the database at a time."""

PATIENCE_SECONDS = 10.0
"""How long a request waits for one of them."""

MOST_WAITING = 8
"""How many wait at a time; more are refused at once, so that one visitor cannot take up the whole server's threads."""


@dataclass(slots=True, eq=False)
class _Open:
    conn: Connection
    stack: ExitStack
    opened: float
    used: float


@dataclass(frozen=True, slots=True)
class Claims:
    """What the server cannot know, and the log keeps as a claim beside what it does.

    Attributes:
        address: Where the visitor is.
        user: Whom the proxy named; empty where the login says it all.
    """

    address: str = ""
    user: str = ""


class Connections:
    """Opens, lends and closes the connections of one visitor; safe for threads."""

    def __init__(self, dsn: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._dsn = dsn
        self._clock = clock
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(LIMIT)
        self._seats = threading.BoundedSemaphore(MOST_WAITING)
        self._idle: list[_Open] = []
        self._lent: list[_Open] = []
        self._is_closed = False

    @contextmanager
    def lend(self, claims: Claims, timeout: timedelta | None = None) -> Iterator[Connection]:
        """Lend a connection for the time of the block, errors translated.

        Args:
            claims: What the block's events say of the visitor.
            timeout: How long a statement may take; None for any time.

        Raises:
            Busy: All of them are in use.
            DatabaseError: No connection, or the block's statement failed.
            StoreError: The store is missing, or of another version.
        """
        self._wait()
        try:
            chosen = self._checked_out(claims, timeout)
            with self._lock:
                self._lent.append(chosen)
            try:
                with database.errors_translated():
                    yield chosen.conn
            finally:
                self._give_back(chosen)
        finally:
            self._free.release()

    def close_idle(self) -> None:
        """Close those that nobody used for a while."""
        limit = self._clock() - IDLE_SECONDS
        with self._lock:
            old = [one for one in self._idle if one.used < limit]
            self._idle = [one for one in self._idle if one.used >= limit]
        for one in old:
            _close(one)

    def close(self) -> None:
        """Close all that are idle now, and the others as soon as they are given back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for one in idle:
            _close(one)

    def stop(self) -> None:
        """Close all, and cancel what those in use are doing."""
        self.close()
        with self._lock:
            lent = [one.conn for one in self._lent]
        for conn in lent:
            database.cancel(conn)

    def _wait(self) -> None:
        if self._free.acquire(blocking=False):
            return
        if not self._seats.acquire(blocking=False):
            raise Busy
        try:
            if not self._free.acquire(timeout=PATIENCE_SECONDS):
                raise Busy
        finally:
            self._seats.release()

    def _checked_out(self, claims: Claims, timeout: timedelta | None) -> _Open:
        while (one := self._pop()) is not None:
            try:
                _prepare(one.conn, claims, timeout)
            except DatabaseError:
                _close(one)  # it was lost while idle, which a new one may not be
            else:
                return one
        one = self._open()
        try:
            _prepare(one.conn, claims, timeout)
        except BaseException:
            _close(one)
            raise
        return one

    def _pop(self) -> _Open | None:
        with self._lock:
            one = self._idle.pop() if self._idle else None
        if one is not None and self._clock() - one.opened > LIFE_SECONDS:
            _close(one)
            return self._pop()
        return one

    def _open(self) -> _Open:
        stack = ExitStack()
        conn = stack.enter_context(database.connect_store(self._dsn))
        now = self._clock()
        return _Open(conn, stack, now, now)

    def _give_back(self, one: _Open) -> None:
        one.used = self._clock()
        with self._lock:
            self._lent.remove(one)
            is_kept = not self._is_closed and database.is_at_rest(one.conn)
            if is_kept:
                self._idle.append(one)
        if not is_kept:
            _close(one)


def _prepare(conn: Connection, claims: Claims, timeout: timedelta | None) -> None:
    milliseconds = 0 if timeout is None else int(timeout.total_seconds() * 1000)
    with database.errors_translated():
        conn.execute(
            "select set_config('auditctl.actor', %s, false), set_config('auditctl.ip', %s, false), "
            "set_config('statement_timeout', %s, false)",
            [claims.user, claims.address, str(milliseconds)],
        )


def _close(one: _Open) -> None:
    with suppress(AuditctlError):  # it is gone, which is what was wanted
        one.stack.close()
