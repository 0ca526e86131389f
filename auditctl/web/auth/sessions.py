"""Holds sessions in memory, by a random token that a cookie carries."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from auditctl.web.auth.connections import Connections
from auditctl.web.auth.cookies import masked, new_token

MAX_MESSAGES = 5
"""Maximum number of messages that wait for the next page."""

MAX_SEEN = 100
"""Maximum number of look-ups that a session remembers."""

MAX_SESSIONS = 1000
"""Maximum number of sessions; when exceeded, the session that was idle longest ends."""

MAX_SESSIONS_PER_PERSON = 10
"""Maximum number of sessions of one visitor; when exceeded, the one that was idle longest ends."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in visitor.

    Attributes:
        name: The login, or the name that the proxy gave.
        login: The database login that every query runs as.
        is_admin: Whether the login was a member of auditctl_admin, or a superuser, at sign-in.
    """

    name: str
    login: str
    is_admin: bool


@dataclass(slots=True)
class VisitorSession:
    """A session of a visitor.

    Attributes:
        visitor: Who is signed in.
        connections: Their database connections.
        secret: The token that each of their forms must carry, masked.
        created: Time of sign-in, by the clock of `Sessions`.
        seen: Time of the last request that counts as activity.
        messages: Shown once, on the next page: what the requests before did.
        changed: The ids of the rows that they changed, which the next page that has them highlights.
        seen_lookups: Hashes of what the visitor looked at, the newest last.
    """

    visitor: Visitor
    connections: Connections = field(repr=False)
    secret: str = field(repr=False)
    created: float
    seen: float
    messages: list[str] = field(default_factory=list)
    changed: frozenset[str] = frozenset()
    seen_lookups: dict[bytes, None] = field(default_factory=dict, repr=False)

    def has_seen(self, lookup: str) -> bool:
        """Return whether the visitor looked at the same in this session, as far as it is remembered."""
        return _hashed(lookup) in self.seen_lookups

    def note_seen(self, lookup: str) -> None:
        """Remember what the visitor looks at; the oldest of too many are forgotten."""
        others = [known for known in self.seen_lookups if known != _hashed(lookup)]
        self.seen_lookups = dict.fromkeys([*others, _hashed(lookup)][-MAX_SEEN:])

    def notify(self, message: str, changed: Iterable[str] = ()) -> None:
        """Add a message for the next page, and the ids of rows; only the newest few messages wait for it."""
        self.messages = [*self.messages, message][-MAX_MESSAGES:]
        self.changed = frozenset(changed)

    def take_messages(self) -> list[str]:
        """Return the messages, which are not shown again."""
        messages, self.messages = self.messages, []
        return messages

    def take_changed(self) -> frozenset[str]:
        """Return the ids of the rows that the last change was about, which are not highlighted again."""
        changed, self.changed = self.changed, frozenset()
        return changed

    @property
    def csrf(self) -> str:
        """The token for one form, each time another text."""
        return masked(self.secret)


class Sessions:
    """The sessions; safe for threads. Only hashes of tokens are stored."""

    def __init__(self, idle: timedelta, absolute: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle.total_seconds()
        self._absolute = absolute.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[bytes, VisitorSession] = {}

    def __len__(self) -> int:
        """Return how many sessions there are."""
        with self._lock:
            return len(self._sessions)

    def start(self, visitor: Visitor, connections: Connections) -> str:
        """Start a session; return its token."""
        token = new_token()
        self.put(token, visitor, connections)
        return token

    def put(self, token: str, visitor: Visitor, connections: Connections) -> VisitorSession:
        """Start a session with a given token, which ends another session of that token; return it."""
        now = self._clock()
        started = VisitorSession(visitor, connections, new_token(), now, now)
        with self._lock:
            replaced = self._sessions.pop(_hashed(token), None)
            self._sessions[_hashed(token)] = started
            by_age = sorted(self._sessions, key=lambda key: self._sessions[key].seen)
            own = [key for key in by_age if self._sessions[key].visitor == visitor]
            ended = [self._sessions.pop(key) for key in {*by_age[:-MAX_SESSIONS], *own[:-MAX_SESSIONS_PER_PERSON]}]
        _close([*ended, *([replaced] if replaced else [])])
        return started

    def find(self, token: str, *, is_activity: bool = True) -> VisitorSession | None:
        """Return the session of a token; None if there is none, or it is over.

        Args:
            token: The token that the browser sent.
            is_activity: Whether the request extends the session; one that a page sends by itself does not.
        """
        now = self._clock()
        with self._lock:
            session = self._sessions.get(_hashed(token))
            if session is None or self._is_over(session, now):
                return None
            if is_activity:
                session.seen = now
            return session

    def end(self, token: str) -> None:
        """End a session: its token is no longer valid, and its connections are closed."""
        with self._lock:
            ended = self._sessions.pop(_hashed(token), None)
        _close([ended] if ended else [])

    def sweep(self) -> None:
        """End sessions that are over, and close idle connections of the others."""
        now = self._clock()
        with self._lock:
            over = [key for key, session in self._sessions.items() if self._is_over(session, now)]
            ended = [self._sessions.pop(key) for key in over]
            remaining = list(self._sessions.values())
        _close(ended)
        for session in remaining:
            session.connections.close_idle()

    def end_all(self) -> None:
        """End every session, and cancel its queries."""
        with self._lock:
            ended = list(self._sessions.values())
            self._sessions.clear()
        for session in ended:
            session.connections.close(cancel=True)

    def _is_over(self, session: VisitorSession, now: float) -> bool:
        return now - session.seen > self._idle or now - session.created > self._absolute


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _close(ended: list[VisitorSession]) -> None:
    for session in ended:
        session.connections.close()
