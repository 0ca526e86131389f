"""Recognizes failed logins: by SQLSTATE, or in English by the message where the log has no SQLSTATE.

Nobody has proved to be the user by then, so nothing that the client claims is taken over but the user's name.
"""

from __future__ import annotations

import re

from auditctl.log_import.records import Record
from auditctl.log_import.sources.source import Activity, Source

TARGET = "auditctl.sign_in"
_STATES = ("28000", "28P01")
_NO_CONNECT = "42501"  # the login may not connect to the database

_MESSAGE = re.compile(
    r'.*authentication failed for user "'
    r"|(?:no pg_hba\.conf entry|pg_hba\.conf rejects) "
    r'|role ".*" (?:does not exist|is not permitted to log in)$'
    r"|connection requires a valid client certificate"
    r'|permission denied for database "'
    r"|no PostgreSQL user name specified",
    re.DOTALL,
)
_USER = re.compile(r'(?:for user|, user|^role) "(.*?)"(?:$|,| (?:does not exist|is not permitted)|: )', re.DOTALL)
_HOST = re.compile(r'^(?:no pg_hba\.conf entry|pg_hba\.conf rejects) .*?for host "([^"]*)"')


def _read(record: Record) -> Activity | None:
    if record.severity != "FATAL" or not _is_failed(record):
        return None
    named = _USER.search(record.message)
    login = record.login if record.login not in ("", "[unknown]") else (named[1] if named else "")
    host = _HOST.match(record.message)
    return Activity(
        record,
        target=TARGET,
        outcome="failed",
        source="server",
        summary=record.message,
        login=login,
        name=login or None,
        is_global=True,
        context={"host": host[1]} if host and not record.host else {},
    )


def _is_failed(record: Record) -> bool:
    if record.state:
        return record.state in _STATES or record.state == _NO_CONNECT
    return _MESSAGE.match(record.message) is not None


SOURCE = Source(
    name="sign_ins",
    states=(*_STATES, _NO_CONNECT),
    words=(
        b"authentication failed",
        b"pg_hba.conf",
        b'role "',
        b"client certificate",
        b"permission denied",
        b"user name",
    ),
    read=_read,
    targets={TARGET: ("failed login", "failed logins")},
)
