"""`auditctl serve`: serves the web page."""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import click
from psycopg.conninfo import conninfo_to_dict

from auditctl import database
from auditctl.addresses import parse_network
from auditctl.cli.known_values import FILES, FOLDERS, complete
from auditctl.cli.session import Session, pass_session
from auditctl.errors import UsageError
from auditctl.names import LOOPBACK
from auditctl.text import in_quotes

PORT = 8484

port_option = click.option(
    "--port",
    default=PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the web page; 0 for any free port.",
)
"""Option of every command that serves the web page."""


def _proxy(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for value in values:
            ipaddress.ip_network(value)  # bits beyond the prefix are a mistake here
        return tuple(str(parse_network(value)) for value in values)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write an address or a network such as 10.0.0.0/24") from None


def _root_path(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    path = value.rstrip("/")
    # Browsers remove dot segments from a path.
    if path and not re.fullmatch(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)+", path):
        raise click.BadParameter(f"{in_quotes(value)} is not a path; write it as /audit")
    return path


def _header(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):  # a token, RFC 9110, 5.6.2
        raise click.BadParameter(f"{in_quotes(value)} is not a header name; write it as X-Remote-User")
    return value


@click.command(short_help="Show the log in a browser.")
@click.option("--host", default=LOOPBACK, show_default=True, help="Address or host name to listen on.")
@port_option
@click.option(
    "--root-path", default="", metavar="PATH", callback=_root_path, help="Prefix of every path, behind a proxy."
)
@click.option(
    "--trusted-proxy", "proxies", metavar="ADDRESS", multiple=True, callback=_proxy,
    help="Trust X-Forwarded-For and -Proto from this address or network. Repeatable.",
)  # fmt: skip
@click.option(
    "--auth", type=click.Choice(["password", "proxy"]), default="password", show_default=True,
    help="How visitors sign in: with a database login, or at the trusted proxy.",
)  # fmt: skip
@click.option(
    "--user-header", metavar="NAME", default="X-Remote-User", show_default=True, callback=_header,
    help="Header that names the visitor, with --auth proxy.",
)  # fmt: skip
@click.option(
    "--tls-cert",
    metavar="FILE",
    type=click.Path(path_type=Path),
    shell_complete=complete(FILES),
    help="Serve HTTPS with this certificate.",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    shell_complete=complete(FILES),
    help="Key of the certificate.",
)
@click.option(
    "--idle-timeout", metavar="MINUTES", default=30, show_default=True, type=click.IntRange(1, 1440),
    help="End a session after this time without a request.",
)  # fmt: skip
@click.option(
    "--metrics-dsn", metavar="DSN",
    help="Serve /metrics for Prometheus, read with this login, such as a member of pg_monitor and nothing else.",
)  # fmt: skip
@click.option(
    "--metrics-token-file", metavar="FILE", type=click.Path(path_type=Path), shell_complete=complete(FILES),
    help="With --metrics-dsn: the file with the token that Prometheus must send.",
)  # fmt: skip
@click.option(
    "--archive", metavar="PATH", is_flag=False, flag_value="", shell_complete=complete(FOLDERS),
    help="Read archived months, too, from this archive; without PATH from where each was written to.",
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
    metrics_dsn: str | None,
    metrics_token_file: Path | None,
    archive: str | None,
) -> None:
    """Show the log in a browser, until Ctrl-C.

    Visitors sign in with their own database login and password. Its roles decide what they see: readers see the log,
    administrators also the configuration. The DSN names the database; its login and password are not used.

    With --auth proxy the proxy at --trusted-proxy signs visitors in and names them in a header. Every query then runs
    as the DSN's login, which should be a reader and nothing else; nobody is an administrator.

    \b
    Examples:
      auditctl --dsn postgresql://db.example/app serve
      auditctl serve --host 0.0.0.0 --tls-cert web.crt --tls-key web.key
      auditctl serve --root-path /audit --trusted-proxy 10.0.0.5
      auditctl serve --auth proxy --trusted-proxy 127.0.0.1 --user-header X-Forwarded-User
      auditctl serve --archive /srv/archive
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key must be given together")
    if (metrics_dsn is None) != (metrics_token_file is None):
        raise click.UsageError("--metrics-dsn and --metrics-token-file must be given together")
    if auth == "proxy" and not proxies:
        raise click.UsageError("--auth proxy needs --trusted-proxy")
    require_web()
    from auditctl.cli import serve_web  # the extra `web` may be missing

    settings = serve_web.Settings(
        dsn=_database(session.dsn),
        auth=serve_web.Auth(auth),
        root_path=root_path,
        trusted_proxies=proxies,
        user_header=user_header,
        idle=timedelta(minutes=idle_timeout),
        metrics_dsn=_database(metrics_dsn) if metrics_dsn is not None else "",
        metrics_token=_token(metrics_token_file) if metrics_token_file else "",
        archive=archive,
    )
    serve_web.check(settings)
    serve_web.run(session, settings, host, port, serve_web.Tls(tls_cert, tls_key) if tls_cert and tls_key else None)


def require_web() -> None:
    """Raise `UsageError` unless the libraries of the extra `web` are installed.

    Raises:
        UsageError: One is missing.
    """
    for library in ("starlette", "uvicorn", "python_multipart", "prometheus_client"):
        if find_spec(library) is None:
            raise UsageError(
                f"the web page needs {library}, which is not installed", hint="Run: pip install 'auditctl[web]'"
            )


def _token(file: Path) -> str:
    """Return the token in a file: one line of visible characters."""
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot read {file}: {getattr(error, 'strerror', None) or 'it is not text'}") from error
    if not re.fullmatch(r"[!-~]{16,}", token):
        raise UsageError(
            f"{file} does not hold a token of at least 16 visible characters of ASCII",
            hint="Make one with: openssl rand -hex 32",
        )
    return token


def _database(dsn: str) -> str:
    """Return the DSN, which must name the database: libpq would use the visitor's login as its name."""
    database.require_readable(dsn)
    parameters = conninfo_to_dict(dsn)
    if (
        not any(parameters.get(key) for key in ("dbname", "service"))
        and not {"PGDATABASE", "PGSERVICE"} & os.environ.keys()
    ):
        raise UsageError("the DSN does not name a database", hint="For example: --dsn postgresql://db.example/app")
    return dsn
