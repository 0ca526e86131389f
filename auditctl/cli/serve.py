"""`auditctl serve`."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from psycopg.conninfo import conninfo_to_dict

from auditctl import database
from auditctl.cli.session import Session, pass_session
from auditctl.errors import UsageError

if TYPE_CHECKING:
    from auditctl.web.settings import Settings

PORT = 8484
LOOPBACK = "127.0.0.1"


def _proxy(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(value)) for value in values)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write an address or a network such as 10.0.0.0/24") from None


def _root_path(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    path = value.rstrip("/")
    if path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
        raise click.BadParameter(f"{value!r} is no path; write it as /audit")
    return path


@click.command(short_help="Show the log in a browser.")
@click.option("--host", default=LOOPBACK, show_default=True, help="Where to listen: an address or name of this machine.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0 takes one that is free.")
@click.option("--root-path", default="", metavar="PATH", callback=_root_path, help="The path before every page, behind a proxy.")
@click.option(
    "--trusted-proxy", "proxies", metavar="ADDRESS", multiple=True, callback=_proxy,
    help="Believe X-Forwarded-For and -Proto from this address or network. Repeatable.",
)  # fmt: skip
@click.option(
    "--auth", type=click.Choice(["password", "proxy"]), default="password", show_default=True,
    help="Who says who a visitor is: a login of the database, or a header of the trusted proxy.",
)  # fmt: skip
@click.option(
    "--user-header", metavar="NAME", default="X-Remote-User", show_default=True, help="The header, with --auth proxy."
)
@click.option("--tls-cert", metavar="FILE", type=click.Path(path_type=Path), help="Serve HTTPS with this certificate.")
@click.option("--tls-key", metavar="FILE", type=click.Path(path_type=Path), help="The certificate's key.")
@click.option(
    "--idle-timeout", metavar="MINUTES", default=30, show_default=True, type=click.IntRange(1, 1440),
    help="Sign out who asked for nothing so long.",
)  # fmt: skip
@pass_session
def serve(
    session: Session,
    *,
    host: str,
    port: int,
    root_path: str,
    proxies: tuple[str, ...],
    auth: str,
    user_header: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    idle_timeout: int,
) -> None:
    """Show the log in a browser, until Ctrl-C.

    Everyone signs in with their own login and password of the database, whose roles say what they may see: readers see
    the log, administrators the configuration as well. The DSN names the database; a login or password in it is not used.

    With --auth proxy a proxy at --trusted-proxy signs people in and names them in a header. Every query then runs as
    the DSN's login, which should be a reader and nothing else; nobody is an administrator.

    \b
    Examples:
      auditctl --dsn postgresql://db.example/app serve
      auditctl serve --host 0.0.0.0 --tls-cert web.crt --tls-key web.key
      auditctl serve --root-path /audit --trusted-proxy 10.0.0.5
      auditctl serve --auth proxy --trusted-proxy 127.0.0.1 --user-header X-Forwarded-User
    """
    web = _load_web()
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    if auth == "proxy" and not proxies:
        raise click.UsageError("--auth proxy needs --trusted-proxy: whose header is believed")
    settings = web.Settings(
        dsn=_database(session.dsn),
        auth=web.Auth(auth),
        root_path=root_path,
        trusted_proxies=proxies,
        user_header=user_header,
        idle=timedelta(minutes=idle_timeout),
    )
    _look(session, settings, web)
    run(session, settings, host, port, web.Tls(tls_cert, tls_key) if tls_cert and tls_key else None)


def run(session: Session, settings: Settings, host: str, port: int, tls: Any = None) -> None:
    """Serve until Ctrl-C or SIGTERM, which is how a server ends: no failure."""
    web = _load_web()
    with web.listen(host, port) as listening, _journal(session):
        address = listening.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        if tls is None and not ipaddress.ip_address(address[0]).is_loopback and not settings.trusted_proxies:
            click.echo("warning: passwords cross the network in the clear; use --tls-cert, or a proxy", err=True)
        url = f"{'https' if tls else 'http'}://{shown}:{address[1]}{settings.root_path}/"

        def started() -> None:
            session.say(f"The log is at {url}  (Ctrl-C ends)")

        with suppress(KeyboardInterrupt):
            web.run(web.make_app(settings), listening, tls, started)
    session.say("Ended.")


class _Web:
    """The names of auditctl.web that this command uses."""

    def __init__(self) -> None:
        from auditctl.web import signing_in
        from auditctl.web.app import make_app
        from auditctl.web.server import Tls, listen, run
        from auditctl.web.settings import Auth, Settings

        self.reader, self.make_app, self.run, self.listen = signing_in.reader, make_app, run, listen
        self.Tls, self.Auth, self.Settings = Tls, Auth, Settings


def _load_web() -> _Web:
    try:
        return _Web()
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("auditctl"):
            raise
        raise UsageError(
            f"the web page needs {error.name}, which is not installed", hint="Run: pip install 'auditctl[web]'"
        ) from None


def _database(dsn: str) -> str:
    """Return the DSN, which must say which database is meant: libpq would take the visitor's name for one."""
    database.require_readable(dsn)
    named = conninfo_to_dict(dsn)
    if not any(named.get(key) for key in ("dbname", "service")) and not {"PGDATABASE", "PGSERVICE"} & os.environ.keys():
        raise UsageError("the DSN names no database", hint="For example: --dsn postgresql://db.example/app")
    return dsn


def _look(session: Session, settings: Settings, web: _Web) -> None:
    """Find out now what everyone would find out at their first page."""
    if settings.auth == web.Auth.PROXY:
        person, connections = web.reader(settings)
        connections.close()
        if person.is_admin:
            click.echo(
                f"warning: {person.login} is more than a reader; everyone whom the proxy names reads as this login",
                err=True,
            )
    elif not database.answers(settings.dsn):
        click.echo("warning: the database does not answer now; nobody can sign in until it does", err=True)


@contextmanager
def _journal(session: Session) -> Iterator[None]:
    """Write what the server notes to stderr, a line each; with --quiet only what went wrong or was refused."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    loggers = [logging.getLogger(name) for name in ("auditctl.web", "uvicorn.error")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    loggers[0].setLevel(logging.DEBUG if session.debug else logging.WARNING if session.quiet else logging.INFO)
    loggers[1].setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
