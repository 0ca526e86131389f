"""Opens and lends one visitor's database connections, with the visitor's own login: PostgreSQL decides access.

One request uses a connection at a time. A new connection for each request would double the time of a page, so an idle
one is used again, unless its login was locked meanwhile. Idle and old ones are closed: a changed password counts at the
next connection. psycopg_pool does not fit: it runs threads for each pool, and retries in the background what must fail
at once with the server's own message.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
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
"""Maximum number of requests of one session that use the database at a time."""

WAIT_SECONDS = 10.0
"""How long a request waits for its turn."""

MAX_WAITING = 8
"""Further requests are refused at once, so that one visitor cannot take all of the server's threads."""

_PREPARE = """
    select set_config('auditctl.actor', %s, false), set_config('auditctl.ip', %s, false),
           set_config('statement_timeout', %s, false),
           rolcanlogin and coalesce(rolvaliduntil > now(), true)
      from pg_roles
     where rolname = session_user
"""


@dataclass(frozen=True, slots=True)
class Claims:
    """What the server cannot know; recorded with an event as a claim.

    Attributes:
        address: The visitor's IP address; empty if unknown.
        user: The user that the proxy named; empty where the login names the visitor.
    """

    address: str = ""
    user: str = ""


@dataclass(slots=True, eq=False)
class _Opened:
    conn: Connection
    stack: ExitStack
    opened: float
    used: float

    def close(self) -> None:
        with suppress(AuditctlError):  # already lost
            self.stack.close()


class Connections:
    """Opens, lends and closes the connections of one session; safe for threads."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(LIMIT)
        self._places = threading.BoundedSemaphore(LIMIT + MAX_WAITING)
        self._idle: list[_Opened] = []
        self._lent: list[_Opened] = []
        self._is_closed = False

    @contextmanager
    def lend(self, claims: Claims, timeout: timedelta | None = None) -> Iterator[Connection]:
        """Lend a connection for the block, with errors translated.

        Args:
            claims: What the block's events record of the visitor.
            timeout: Time limit of each statement; None for no limit.

        Raises:
            Busy: All connections are in use.
            DatabaseError: No connection, or a statement of the block failed.
            StoreError: The store is missing or has another version.
        """
        with self._turn(), database.errors_translated():
            one = self._reused(claims, timeout) or self._new(claims, timeout)
            try:
                yield one.conn
            finally:
                self._take_back(one)

    def close_idle(self) -> None:
        """Close connections that were idle for a minute or are five minutes old."""
        with self._lock:
            stale = [one for one in self._idle if _is_stale(one)]
            self._idle = [one for one in self._idle if one not in stale]
        for one in stale:
            one.close()

    def close(self, *, cancel: bool = False) -> None:
        """Close idle connections now, and the others when they are returned.

        Args:
            cancel: Whether to cancel the statements that run.
        """
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            lent = [one.conn for one in self._lent if cancel]
        for one in idle:
            one.close()
        for conn in lent:
            database.cancel(conn)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            if not self._free.acquire(timeout=WAIT_SECONDS):
                raise Busy
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._places.release()

    def _reused(self, claims: Claims, timeout: timedelta | None) -> _Opened | None:
        """Return an idle connection that is still good; close those that are not."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                one = self._idle.pop()
                self._lent.append(one)
            if not _is_stale(one):
                with suppress(DatabaseError):  # lost while idle
                    if _prepare(one.conn, claims, timeout):
                        return one
            self._take_back(one, reuse=False)

    def _new(self, claims: Claims, timeout: timedelta | None) -> _Opened:
        stack, now = ExitStack(), time.monotonic()
        one = _Opened(stack.enter_context(database.connect_store(self._dsn)), stack, now, now)
        with self._lock:
            self._lent.append(one)
        try:
            _prepare(one.conn, claims, timeout)
        except BaseException:
            self._take_back(one, reuse=False)
            raise
        return one

    def _take_back(self, one: _Opened, *, reuse: bool = True) -> None:
        one.used = time.monotonic()
        with self._lock:
            self._lent.remove(one)
            reuse = reuse and not self._is_closed and database.is_at_rest(one.conn)
            if reuse:
                self._idle.append(one)
        if not reuse:
            one.close()


def _is_stale(one: _Opened) -> bool:
    now = time.monotonic()
    return now - one.used > IDLE_SECONDS or now - one.opened > LIFE_SECONDS


def _prepare(conn: Connection, claims: Claims, timeout: timedelta | None) -> bool:
    """Set the session's settings; return whether its login may still log in (pg_roles)."""
    milliseconds = 0 if timeout is None else int(timeout.total_seconds() * 1000)
    with database.errors_translated():
        row = conn.execute(_PREPARE, [claims.user, claims.address, str(milliseconds)]).fetchone()
    return row is not None and row[-1]
