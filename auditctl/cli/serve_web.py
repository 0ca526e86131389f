"""Runs the web page for `auditctl serve` and `auditctl demo --serve`."""

from __future__ import annotations

import ipaddress
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auditctl import database
from auditctl.cli.printing import print_warning
from auditctl.cli.session import Session
from auditctl.web.app import make_app
from auditctl.web.auth import password
from auditctl.web.limits import Limits
from auditctl.web.log_repeats import RepeatFilter
from auditctl.web.server import Server, Tls, listen
from auditctl.web.settings import Auth, Settings

__all__ = ["Auth", "Settings", "Tls", "check", "run"]


def check(settings: Settings) -> None:
    """Check the settings before serving; warn of what visitors would not see.

    Raises:
        DatabaseError: With `Auth.PROXY`, the reader login cannot connect.
        Forbidden: It may not read the log.
        StoreError: The store is missing or has another version.
    """
    if settings.auth is Auth.PROXY:
        visitor, connections = password.reader(settings)
        connections.close()
        if visitor.is_admin:
            print_warning(f"{visitor.login} is an administrator, and everyone whom the proxy names reads as this login")
    elif not database.answers(password.base(settings)):
        print_warning("the database does not answer; nobody can sign in until it does")


def run(
    session: Session,
    settings: Settings,
    host: str,
    port: int,
    tls: Tls | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; both are a regular end.

    Args:
        session: Writes the messages.
        settings: The settings.
        host: Address or host name to listen on.
        port: The port; 0 for any free one.
        tls: Certificate and key; None for plain HTTP.
        announce: Called with the URL when the server accepts requests; None for a line on stderr.

    Raises:
        UsageError: The host, certificate or key cannot be used.
        OutputError: The port cannot be used.
    """
    with listen(host, port) as listening, _logging(session):
        address = listening.getsockname()
        if tls is None and not settings.trusted_proxies and not ipaddress.ip_address(address[0]).is_loopback:
            print_warning("passwords cross the network unencrypted; use --tls-cert, or a proxy with TLS")
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"{'https' if tls else 'http'}://{host}:{address[1]}{settings.root_path}/"
        say = announce or (lambda url: session.say(f"The log is at {url} (Ctrl-C to stop)."))
        limits = Limits(shared=settings.trusted_proxies)
        Server(make_app(settings), listening, tls, lambda: say(url), limits).serve_until_stopped()
    session.say("Stopped.")


@contextmanager
def _logging(session: Session) -> Iterator[None]:
    """Write the server's log to stderr; with --quiet only warnings and errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    handler.addFilter(RepeatFilter())
    ours, *theirs = (logging.getLogger(name) for name in ("auditctl.web", "uvicorn.error", "asyncio"))
    ours.setLevel(logging.DEBUG if session.debug else logging.WARNING if session.quiet else logging.INFO)
    for logger in (ours, *theirs):
        logger.addHandler(handler)
    for logger in theirs:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger in (ours, *theirs):
            logger.removeHandler(handler)
