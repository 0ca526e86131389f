"""Finds out what files of text do not say themselves: their log_line_prefix and log_timezone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.log_import.formats.line_format import LogSettings
from auditctl.log_import.prefix import Prefix, compile_prefix
from auditctl.text import in_quotes

USUAL = (
    "%m [%p] %q%u@%d ",
    "%m [%p] ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%t [%p-%l] %q%u@%d ",
    "%t [%p] %q%u@%d ",
    "%t [%p]: [%l-1] ",
)
"""Prefixes that are tried if the server's does not fit: those of PostgreSQL, Debian and pgBadger."""


def load(conn: Connection, prefix: str | None, time_zone: str | None) -> LogSettings:
    """Return the settings of the connected server, or those that are named instead.

    Raises:
        UsageError: A name is not that of a time zone.
        DatabaseError: The connection is lost.
    """
    with read_transaction(conn):
        server = conn.execute("select current_setting('log_line_prefix'), current_setting('log_timezone')").fetchone()
    text, zone = server or ("", "")
    return LogSettings(_prefixes(text, prefix), _zone(zone, time_zone))


def _prefixes(server: str, named: str | None) -> tuple[Prefix, ...]:
    if named is not None:
        return (compile_prefix(named),)
    return tuple(compile_prefix(text) for text in dict.fromkeys((server, *USUAL)))


def _zone(server: str, named: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(named or server)
    except (KeyError, ValueError, OSError) as error:
        if named is None:
            return None
        raise UsageError(
            f"{in_quotes(named)} is not a time zone", hint="Name one such as Europe/Berlin or UTC."
        ) from error
