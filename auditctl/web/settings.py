"""What `auditctl serve` was told: where the database is, who is trusted, and how long one stays signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Auth(StrEnum):
    """Who says who a visitor is."""

    PASSWORD = "password"  # noqa: S105 - no secret
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the log is served.

    Attributes:
        dsn: The database. With `Auth.PASSWORD` without login and password, which each visitor gives; with `Auth.PROXY`
            with those of the login that reads for all.
        auth: Who says who a visitor is.
        root_path: The path before every route, such as `/audit`; empty for none. Never ends with a slash.
        trusted_proxies: Addresses and networks of proxies whose headers are believed.
        user_header: With `Auth.PROXY`, the header that names the visitor.
        idle: How long one stays signed in without a request.
        absolute: How long one stays signed in at most.
        page_timeout: How long a query of a page may take; exports may take any time.
    """

    dsn: str
    auth: Auth = Auth.PASSWORD
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    user_header: str = "X-Remote-User"
    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    page_timeout: timedelta = timedelta(seconds=30)
