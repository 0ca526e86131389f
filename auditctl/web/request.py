"""One request, and what a view needs for its answer: who asks, what for, their connection, and the templates."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from auditctl import database
from auditctl.database import Connection
from auditctl.web import middleware
from auditctl.web.auth.connections import Claims
from auditctl.web.auth.sessions import Person, Session, Sessions
from auditctl.web.auth.throttle import Throttle
from auditctl.web.errors import BadRequest, SignInRequired
from auditctl.web.render.templates import Pages
from auditctl.web.settings import Auth, Settings

Parameters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Web:
    """What all requests share."""

    settings: Settings
    sessions: Sessions
    throttle: Throttle
    pages: Pages


@dataclass(slots=True)
class Visit:
    """One request.

    Attributes:
        web: What all requests share.
        request: The request itself.
        session: Who asks; None where nobody is signed in.
        form: What was posted, by name; empty otherwise.
        is_left: Whether the visitor went away before the answer was there.
    """

    web: Web
    request: Request
    session: Session | None
    form: Parameters = field(default_factory=dict)
    is_left: bool = False
    _lent: Connection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        """Where the visitor is, as far as a trusted proxy says it understandably; empty where nobody knows."""
        told = middleware.plain(self.request.client.host) if self.request.client else ""
        return told if middleware.is_address(told) else str(self.request.scope["auditctl.peer"])

    @property
    def path(self) -> str:
        """The path that was asked for, below the root path and decoded."""
        return str(self.request.scope["path"])

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return "hx-request" in self.request.headers and "hx-history-restore-request" not in self.request.headers

    @property
    def is_automatic(self) -> bool:
        """Whether the page renews itself, and nobody did anything."""
        return "live" in self.request.query_params and self.is_fragment

    @property
    def parameters(self) -> Parameters:
        """The query's parameters that say something: a form sends its empty fields, too."""
        found: dict[str, list[str]] = {}
        for name, value in self.request.query_params.multi_items():
            if value:
                found.setdefault(name, []).append(value)
        return found

    @property
    def signed_in(self) -> Session:
        """The session.

        Raises:
            SignInRequired: There is none.
        """
        if self.session is None:
            raise SignInRequired
        return self.session

    @property
    def person(self) -> Person:
        """Who asks; raises as `signed_in` does."""
        return self.signed_in.person

    @contextmanager
    def connection(self, *, is_unhurried: bool = False) -> Iterator[Connection]:
        """Lend a connection of the visitor's for the time of the block.

        Args:
            is_unhurried: Whether a statement may take longer than a page's may.
        """
        settings, person = self.web.settings, self.person
        claims = Claims(self.address, person.name if settings.auth is Auth.PROXY else "")
        with self.signed_in.connections.lend(claims, None if is_unhurried else settings.page_timeout) as conn:
            self._holds(conn)
            try:
                yield conn
            finally:
                self._holds(None)

    def leave(self) -> None:
        """Cancel what is done for a visitor who went away."""
        with self._lock:  # so that a connection is not given to somebody else meanwhile
            self.is_left = True
            if self._lent is not None:
                database.cancel(self._lent)

    def _holds(self, conn: Connection | None) -> None:
        with self._lock:
            self._lent = conn

    def one(self, source: Parameters, name: str, default: str | None = None) -> str:
        """Return the one value of a parameter or field.

        Raises:
            BadRequest: It is missing and has no default, or was given more than once.
        """
        values = source.get(name, ())
        if len(values) > 1:
            raise BadRequest(f"The parameter {name} was given more than once.")
        if not values and default is None:
            raise BadRequest(f"The parameter {name} is missing.")
        return values[0] if values else str(default)

    def url(self, path: str, parameters: Parameters | None = None) -> str:
        """Return the address of a page on this server."""
        query = urlencode(parameters or {}, doseq=True)
        return f"{self.web.settings.root_path}{path}{'?' if query else ''}{query}"

    def page(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
    ) -> Response:
        """Return a page, or the part of one, made from a template."""
        return HTMLResponse(self.text(template, **context), status, headers)

    def text(self, template: str, **context: Any) -> str:
        """Return what a template makes of a context."""
        return self.web.pages.render(template, visit=self, session=self.session, url=self.url, **context)
