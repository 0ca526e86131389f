"""What `auditctl serve` and `auditctl demo --serve` do: serve the log until they are told to end."""

from __future__ import annotations

import ipaddress
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from auditctl import database
from auditctl.cli.session import Session
from auditctl.web.app import make_app
from auditctl.web.auth import password
from auditctl.web.server import Server, Tls, listen
from auditctl.web.settings import Auth, Settings

__all__ = ["Auth", "Settings", "Tls", "look", "run"]


def look(settings: Settings) -> None:
    """Find out now what everyone would find out at their first page.

    Raises:
        DatabaseError: The login that reads for all cannot connect.
        Forbidden: It may not read the log.
        StoreError: The store is missing, or of another version.
    """
    if settings.auth is Auth.PROXY:
        person, connections = password.reader(settings)
        connections.close()
        if person.is_admin:
            _warn(f"{person.login} is more than a reader, and everyone whom the proxy names reads as this login")
    elif not database.answers(password.base(settings)):
        _warn("the database does not answer now; nobody can sign in until it does")


def run(
    session: Session,
    settings: Settings,
    host: str,
    port: int,
    tls: Tls | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM, which is how a server ends: no failure.

    Args:
        session: How to speak.
        settings: What is served.
        host: Where to listen.
        port: The port; 0 for a free one.
        tls: What the server proves itself with; None for plain HTTP.
        announce: Told the address once pages are answered; None for a line on stderr.

    Raises:
        UsageError: The host, certificate or key cannot be used.
        OutputError: The port cannot.
    """
    with listen(host, port) as listening, _journal(session):
        address = listening.getsockname()
        if tls is None and not settings.trusted_proxies and not ipaddress.ip_address(address[0]).is_loopback:
            _warn("passwords cross the network in the clear; use --tls-cert, or a proxy that speaks TLS")
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"{'https' if tls else 'http'}://{shown}:{address[1]}{settings.root_path}/"
        say = announce or (lambda url: session.say(f"The log is at {url} (Ctrl-C ends)."))
        Server(make_app(settings), listening, tls, lambda: say(url)).serve_until_stopped()
    session.say("Ended.")


def _warn(message: str) -> None:
    click.echo(f"warning: {message}", err=True)


@contextmanager
def _journal(session: Session) -> Iterator[None]:
    """Write what the server notes to stderr, a line each; with --quiet only what went wrong or was refused."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    ours, theirs = (logging.getLogger(name) for name in ("auditctl.web", "uvicorn.error"))
    ours.setLevel(logging.DEBUG if session.debug else logging.WARNING if session.quiet else logging.INFO)
    theirs.setLevel(logging.WARNING)
    for logger in (ours, theirs):
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in (ours, theirs):
            logger.removeHandler(handler)
