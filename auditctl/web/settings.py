"""Settings of `auditctl serve`: the database, trusted proxies and time limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Auth(StrEnum):
    """How visitors are authenticated."""

    PASSWORD = "password"  # noqa: S105 - no secret
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings.

    Attributes:
        dsn: The database. With `Auth.PASSWORD` each visitor gives login and password, and those in the DSN are not
            used; with `Auth.PROXY` all visitors read with those in the DSN.
        auth: How visitors are authenticated.
        root_path: Prefix of every path, such as `/audit`; empty for none. Never ends with a slash.
        trusted_proxies: Addresses and networks of proxies whose headers are trusted.
        user_header: With `Auth.PROXY`, the header that names the visitor.
        idle: A session ends after this time without a request.
        absolute: Maximum duration of a session.
        page_timeout: Time limit of each query of a page; exports have none.
        metrics_dsn: The database with the login that reads metrics; empty for no metrics.
        metrics_token: What a request for metrics must carry.
        archive: Where archived months are read; empty for where each was written to, None if pages do not read them.
    """

    dsn: str
    auth: Auth = Auth.PASSWORD
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    user_header: str = "X-Remote-User"
    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    page_timeout: timedelta = timedelta(seconds=30)
    metrics_dsn: str = ""
    metrics_token: str = ""
    archive: str | None = None
