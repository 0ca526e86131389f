"""Defines a visit: one HTTP request, with the form, session, connection and templates that a view needs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from auditctl import clock, database
from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.errors import UsageError
from auditctl.log.filter_text import trim
from auditctl.log.filters import BY_NAME, FILTERS, ZONE
from auditctl.web import middleware
from auditctl.web.auth.connections import Claims
from auditctl.web.auth.sessions import Sessions, Visitor, VisitorSession
from auditctl.web.auth.throttle import Throttle
from auditctl.web.errors import BadRequest, SignInRequired
from auditctl.web.render import templates
from auditctl.web.settings import Auth, Settings

if TYPE_CHECKING:
    from auditctl.web.archive import Archive

Parameters = Mapping[str, Sequence[str]]
"""Values by name, of a query or a form."""

MAY_BE_EMPTY = frozenset(row.name for row in FILTERS if row.may_be_empty)
"""The parameters whose empty value is one."""

FORM, EMPTY = "form", "empty"
"""The fields that only a form of filters sends: that it is one, and the names of filters that it means to be empty."""

ZONE_COOKIE = "auditctl_tz"
"""Set by a script; only an address without parameters heeds it, so that a shared address shows everybody the same."""


@dataclass(frozen=True, slots=True)
class AppState:
    """What all requests share.

    Attributes:
        settings: The settings.
        sessions: Who is signed in.
        throttle: Who may try to sign in.
        archive: The archived months that pages read, too; None if they read the log alone.
    """

    settings: Settings
    sessions: Sessions
    throttle: Throttle
    archive: Archive | None = None


@dataclass(slots=True)
class Visit:
    """One request.

    Attributes:
        app: What all requests share.
        request: Starlette's request.
        session: The visitor's session; None if nobody is signed in.
        form: The posted fields; empty for other requests.
        is_disconnected: Whether the client disconnected before the answer.
        has_looked: Whether it is known to the log what the answer shows of it, or why that cannot be.
        unrecorded: Why the log cannot record what the answer shows; empty if it can.
        unsearched: Why archived months were not searched, as a sentence; empty if they were, or were not to be.
    """

    app: AppState
    request: Request
    session: VisitorSession | None = None
    form: Parameters = field(default_factory=dict)
    is_disconnected: bool = False
    has_looked: bool = False
    unrecorded: str = ""
    unsearched: str = ""
    _conn: Connection | None = None
    _stop: Callable[[], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        """The visitor's IP address, from a trusted proxy's header or else of the connection; empty if unknown."""
        address = middleware.plain(self.request.client.host) if self.request.client else ""
        return address if middleware.is_address(address) else str(self.request.scope["auditctl.peer"])

    @property
    def path(self) -> str:
        """The requested path, below the root path and decoded."""
        return str(self.request.scope["path"])

    @property
    def is_fragment(self) -> bool:
        """Whether htmx requests a part of a page."""
        return "hx-request" in self.request.headers and "hx-history-restore-request" not in self.request.headers

    @property
    def is_automatic(self) -> bool:
        """Whether a live page refreshes itself, without any activity of the visitor."""
        return "live" in self.request.query_params and self.is_fragment

    @property
    def parameters(self) -> Parameters:
        """The query's parameters, without blanks around filters, and without empty values that mean nothing.

        A form also sends its empty fields, so it has a field FORM, and names the filter whose empty value it means in
        the field EMPTY.
        """
        values: dict[str, list[str]] = {}
        query = self.request.query_params
        for name, text in query.multi_items():
            value = trim(text) if name in BY_NAME or name == ZONE else text
            if value or (name in MAY_BE_EMPTY and FORM not in query):
                values.setdefault(name, []).append(value)
        values.pop(FORM, None)
        for name in values.pop(EMPTY, ()):
            if name in MAY_BE_EMPTY:
                values.setdefault(name, []).append("")
        return values

    @property
    def clock(self) -> Clock:
        """The clock of the time zone in the address, by which every page shows times; that of UTC without one.

        Raises:
            BadRequest: Several zones are named.
            UsageError: The zone is not known.
        """
        names = [name for text in self.request.query_params.getlist(ZONE) if (name := trim(text))]
        if len(names) > 1:
            raise BadRequest(f"The parameter {ZONE} is repeated.")
        return clock.parse(names[0]) if names else clock.UTC

    @property
    def zone(self) -> str:
        """The name of the time zone in the address; empty without one, or without such a zone."""
        try:
            return self.clock.name if self.request.query_params.get(ZONE) else ""
        except (BadRequest, UsageError):
            return ""

    @property
    def remembered_zone(self) -> str:
        """The name of the time zone that the visitor chose last, which a script remembers; empty without one."""
        return clock.names().get(self.request.cookies.get(ZONE_COOKIE, "").casefold(), "")

    @property
    def signed_in(self) -> VisitorSession:
        """The session.

        Raises:
            SignInRequired: Nobody is signed in.
        """
        if self.session is None:
            raise SignInRequired
        return self.session

    @property
    def visitor(self) -> Visitor:
        """The visitor; raises as `signed_in` does."""
        return self.signed_in.visitor

    @property
    def person(self) -> str:
        """The name that a proxy gave the visitor, as all have one login; empty where the login names the visitor."""
        return self.visitor.name if self.app.settings.auth is Auth.PROXY else ""

    @contextmanager
    def connection(self, *, has_time_limit: bool = True) -> Iterator[Connection]:
        """Lend one of the visitor's connections for the block.

        Args:
            has_time_limit: Whether each statement has the time limit of a page.

        Raises:
            Busy: All of the visitor's connections are in use.
            DatabaseError: No connection, or a statement of the block failed.
            StoreError: The store is missing or has another version.
        """
        settings = self.app.settings
        claims = Claims(self.address, self.person)
        timeout = settings.page_timeout if has_time_limit else None
        with self.signed_in.connections.lend(claims, timeout) as conn:
            self._set_connection(conn)
            try:
                yield conn
            finally:
                self._set_connection(None)

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call something, from another thread, if the client disconnects during the block, or did before."""
        with self._lock:
            self._stop = stop
            if self.is_disconnected:
                stop()
        try:
            yield
        finally:
            with self._lock:
                self._stop = None

    def disconnect(self) -> None:
        """Note that the client disconnected, and cancel its query."""
        with self._lock:  # the connection must not be lent to another request meanwhile
            self.is_disconnected = True
            if self._stop is not None:
                self._stop()
            if self._conn is not None:
                database.cancel(self._conn)

    def _set_connection(self, conn: Connection | None) -> None:
        with self._lock:
            self._conn = conn

    def one(self, source: Parameters, name: str, default: str | None = None) -> str:
        """Return the only value of a parameter or field.

        Raises:
            BadRequest: It is missing and has no default, or is repeated.
        """
        values = source.get(name, ())
        if len(values) > 1:
            raise BadRequest(f"The parameter {name} is repeated.")
        if not values and default is None:
            raise BadRequest(f"The parameter {name} is missing.")
        return values[0] if values else str(default)

    def url(self, path: str, parameters: Parameters | None = None) -> str:
        """Return the URL of a page on this server, without scheme and host; the time zone of the address stays."""
        parameters = dict(parameters or {})
        if "?" not in path and self.zone:
            parameters.setdefault(ZONE, [self.zone])
        query = urlencode(parameters, doseq=True)
        return f"{self.app.settings.root_path}{path}{'?' if query else ''}{query}"

    def in_zone(self, name: str) -> str:
        """Return the URL of the same page with times in another zone."""
        return self.url(self.path, {**self.parameters, ZONE: [name]})

    def page(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
    ) -> Response:
        """Return an HTML response, a page or a part of one."""
        text = templates.render(template, visit=self, session=self.session, url=self.url, **context)
        return HTMLResponse(text, status, headers)


def content_disposition(name: str) -> str:
    """Return the header that saves a response as a file: RFC 6266, with a name in ASCII for those that ignore it."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    extended = "" if name.isascii() else f"; filename*=UTF-8''{quote(name)}"
    return f'attachment; filename="{plain}"{extended}'
