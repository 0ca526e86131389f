"""Who is signed in: in the server's memory alone, found by a random token that the browser keeps in a cookie."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from auditctl.web.auth.connections import Connections

TOKEN_BYTES = 32
MOST = 1000
"""How many may be signed in at once; one more ends the session that was idle longest."""

MOST_OF_ONE = 10
"""How many browsers one person may be signed in with at once; likewise."""


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor, as the database knows them.

    Attributes:
        name: What they are called: the login, or whom the proxy named.
        login: The database login that every query runs as.
        is_admin: Whether they were a member of auditctl_admin, or stood above it, as they signed in.
    """

    name: str
    login: str
    is_admin: bool


@dataclass(slots=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        person: Who.
        connections: Their connections to the database.
        csrf: What every form of theirs carries, and no other site can know.
        created: When they signed in, by the clock of `Sessions`.
        seen: When they last asked for something.
        said: What the next page of theirs says, once: of something that the page before did.
    """

    person: Person
    connections: Connections = field(repr=False)
    csrf: str = field(repr=False)
    created: float
    seen: float
    said: list[str] = field(default_factory=list)


class Sessions:
    """The sessions, safe for threads. Tokens themselves are not kept, only their hashes."""

    def __init__(self, idle: timedelta, absolute: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle.total_seconds()
        self._absolute = absolute.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}

    def start(self, person: Person, connections: Connections) -> str:
        """Begin a session; return its token."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self.put(token, person, connections)
        return token

    def put(self, token: str, person: Person, connections: Connections) -> Session:
        """Begin a session under a token that the caller makes and keeps; return it."""
        now = self._clock()
        started = Session(person, connections, secrets.token_urlsafe(TOKEN_BYTES), now, now)
        with self._lock:
            replaced = self._sessions.pop(_hashed(token), None)
            self._sessions[_hashed(token)] = started
            by_age = sorted(self._sessions, key=lambda key: self._sessions[key].seen)
            own = [key for key in by_age if self._sessions[key].person == person]
            ended = [self._sessions.pop(key) for key in {*by_age[:-MOST], *own[:-MOST_OF_ONE]}]
        _close([*ended, *([replaced] if replaced else [])])
        return started

    def find(self, token: str, *, is_activity: bool = True) -> Session | None:
        """Return the session of a token, None where it is over or never was.

        Args:
            token: What the browser sent.
            is_activity: Whether somebody did something; a page that renews itself does not keep a session alive.
        """
        now = self._clock()
        with self._lock:
            found = self._sessions.get(_hashed(token))
            if found is None or self._is_over(found, now):
                return None
            if is_activity:
                found.seen = now
            return found

    def end(self, token: str) -> None:
        """End a session: its token is worth nothing from now on, and its connections are closed."""
        with self._lock:
            ended = self._sessions.pop(_hashed(token), None)
        _close([ended] if ended else [])

    def sweep(self) -> None:
        """End what is over, and close connections that nobody uses."""
        now = self._clock()
        with self._lock:
            over = [key for key, session in self._sessions.items() if self._is_over(session, now)]
            ended = [self._sessions.pop(key) for key in over]
            left = list(self._sessions.values())
        _close(ended)
        for session in left:
            session.connections.close_idle()

    def end_all(self) -> None:
        """End every session, whatever it is doing."""
        with self._lock:
            ended = list(self._sessions.values())
            self._sessions.clear()
        for session in ended:
            session.connections.close(cancel=True)

    def _is_over(self, session: Session, now: float) -> bool:
        return now - session.seen > self._idle or now - session.created > self._absolute


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _close(ended: list[Session]) -> None:
    for session in ended:
        session.connections.close()
