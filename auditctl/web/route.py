"""What a route is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from starlette.responses import Response

from auditctl.web.request import Visit
from auditctl.web.settings import Auth


class Access(Enum):
    """Who may use a route."""

    EVERYONE = auto()
    READER = auto()
    ADMIN = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """A page, or part of one.

    Attributes:
        path: Below the root path, with places as Starlette writes them.
        view: Answers; runs in a thread of its own and may wait for the database.
        methods: How it may be asked.
        access: Who may use it.
        parameters: The names that its query may carry.
        is_recorded: Whether asking alone leaves an event, so that other sites' pages may not.
        auth: Where alone it is: with visitors who are signed in like that; None for everywhere.
    """

    path: str
    view: Callable[[Visit], Response]
    methods: tuple[str, ...] = ("GET",)
    access: Access = Access.READER
    parameters: frozenset[str] = frozenset()
    is_recorded: bool = False
    auth: Auth | None = None
