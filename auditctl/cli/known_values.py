"""The values that a shell can complete: one row for each kind, from the database or from the code.

A command's parameter names its kind with `shell_complete=complete(KIND)`. Whatever fails, and whatever takes longer
than `SECONDS`, means no values: a shell that completes has no place for messages.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Thread

import click
import psycopg
from click.shell_completion import CompletionItem

from auditctl import actions, clock, resources
from auditctl.cli.session import Session
from auditctl.database import Connection
from auditctl.log import filter_values, week_text
from auditctl.log.week import HOURS_OF_DAY
from auditctl.names import APPLICATION_NAME

SECONDS = 1.0
"""How long the database may take to connect and answer."""

MAX_VALUES = 200
"""How many values of a kind are offered at most."""

Read = Callable[[Connection, click.Context, str], Iterable[str]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@dataclass(frozen=True, slots=True)
class Values:
    """One kind of value.

    Attributes:
        read: Reads values from the database, by the words before and the start of the value; None for `choices` alone.
        choices: Values that need no database.
        is_list: Whether a parameter takes several, separated by commas.
        path: `file` or `folder` where the shell itself knows the values; empty for others.
    """

    read: Read | None = None
    choices: tuple[str, ...] = ()
    is_list: bool = False
    path: str = ""

    def find(self, context: click.Context, start: str) -> list[str]:
        """Return the values that begin with a text, those that need no database first."""
        before, comma, start = start.rpartition(",") if self.is_list else ("", "", start)
        values = [*self.choices, *(_read(self.read, context, start) if self.read else ())]
        shown = [value for value in dict.fromkeys(values) if value.startswith(start) and value.isprintable()]
        return [before + comma + value for value in shown if value not in before.split(",")][:MAX_VALUES]


def complete(values: Values) -> Complete:
    """Return what click calls to complete a parameter."""

    def find(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
        if values.path:
            return [CompletionItem(start, type=values.path)]
        return [CompletionItem(value) for value in values.find(context, start)]

    return find


def complete_zones(_context: click.Context, _parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Complete the name of a time zone, of those that the machine knows."""
    return [CompletionItem(name) for folded, name in clock.names().items() if folded.startswith(start.casefold())]


def _read(read: Read, context: click.Context, start: str) -> list[str]:
    """Read values in a thread, which the end of the process ends: no wait of libpq's can be cut short."""
    values: list[str] = []

    def fetch() -> None:
        try:
            dsn = context.find_root().params.get("dsn") or os.environ.get("AUDITCTL_DSN", "")
            if _is_pooled(dsn):
                return  # In transaction mode, the settings of this session would stay for others.
            with Session(dsn).connect() as conn:
                conn.execute("select pg_catalog.set_config('statement_timeout', '1s', false)")
                values.extend(read(conn, context, start))
        except Exception:  # noqa: BLE001, S110 - no values then
            pass

    thread = Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return list(values)


def _is_pooled(dsn: str) -> bool:
    """Whether a connection goes through a pooler, which makes up the process that it names; sets nothing there."""
    with psycopg.connect(dsn, autocommit=True, fallback_application_name=APPLICATION_NAME) as conn:
        row = conn.execute("select pg_catalog.pg_backend_pid()").fetchone()
        return row != (conn.info.backend_pid,)


def _query(name: str) -> Read:
    """Return a reader of queries/completion/NAME.sql, whose rows are values."""

    def read(conn: Connection, context: click.Context, start: str) -> list[str]:
        query = resources.sql_text(f"queries/completion/{name}.sql").encode()
        parameters = {"start": start, "limit": MAX_VALUES, "table": context.params.get("table")}
        return [value for (value,) in conn.execute(query, parameters)]

    return read


def _targets(conn: Connection, _context: click.Context, _start: str) -> list[str]:
    from auditctl.log import target_names

    known = target_names.read(conn)
    return [target.label for target in known if target.label] + [target.name for target in known]


def _users(conn: Connection, _context: click.Context, start: str) -> list[str]:
    from auditctl.log import user_names

    kind, colon, name = start.partition(":")
    if colon and kind in filter_values.USER_FORMS:
        found = user_names.suggest(conn, name, MAX_VALUES)
        return [value if value.startswith(f"{kind}:") else f"{kind}:{value}" for value in found]
    return user_names.suggest(conn, start, MAX_VALUES)


def _holds(conn: Connection, _context: click.Context, _start: str) -> list[str]:
    from auditctl.retention import holds

    return [str(hold.hold_id) for hold in holds.read(conn)]


ACTIONS = Values(choices=tuple(actions.OPTIONS), is_list=True)
TIMES = Values(choices=("today", "yesterday", "this-month", "last-month", "1h", "24h", "7d", "30d"))
WEEKDAYS = Values(choices=week_text.WEEKDAYS, is_list=True)
HOURS = Values(choices=tuple(map(str, range(HOURS_OF_DAY))), is_list=True)
WORKING_HOURS = Values(choices=("mon-fri 6-22", "mon-fri 8-18"))
FILES = Values(path="file")
FOLDERS = Values(path="folder")
TABLES = Values(_query("table"))
"""Tables of the database, whether they are audited or not."""
RULES = Values(_query("rule"))
"""Audited tables, and the globs of rules."""
TARGETS = Values(_targets)
"""Names and labels of what the log knows."""
USERS = Values(_users)
"""Actors and logins."""
LOGINS = Values(_query("login"))
"""Roles that can log in."""
COLUMNS = Values(_query("column"))
"""Columns of the table that the command names, or of all audited tables."""
VALUES = Values(lambda *asked: [f"{name}=" for name in _query("column")(*asked)])
"""Such columns, for a value to follow."""
CONSUMERS = Values(_query("consumer"))
"""Names of those who follow the log."""
VIEWS = Values(_query("view"))
"""Names of the login's saved views."""
ARCHIVED_MONTHS = Values(_query("archived_month"))
"""Months whose events are in an archive alone."""
HOLDS = Values(_holds)
"""Numbers of the holds in force."""

FILTERS = {
    "since": TIMES,
    "until": TIMES,
    "weekday": WEEKDAYS,
    "hour": HOURS,
    "outside-hours": WORKING_HOURS,
    "target": TARGETS,
    "user": USERS,
    "not-user": USERS,
    "kind": Values(choices=filter_values.KINDS),
    "changed": VALUES,
    "was": VALUES,
    "became": VALUES,
    "action": Values(choices=tuple(action.value.lower() for action in actions.Action)),
    "column": COLUMNS,
}
"""The kinds of the filters' values, by the filter's name; the other filters take text that nobody can guess."""
