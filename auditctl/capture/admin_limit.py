"""The limit of administrators, [admin] in the file: reads it, and plans how it changes.

Only whoever can act as auditctl_owner, with a coverage guard only a superuser, changes it (relation
auditctl.administration).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from psycopg import sql

from auditctl import resources
from auditctl.actions import Action
from auditctl.capture.model import Statement
from auditctl.capture.plan import Change, ChangeKind
from auditctl.database import Connection

SECTION = "[admin]"
"""What a plan calls it."""


def is_administrator(conn: Connection) -> bool:
    """Whether the login changes capture as an administrator, as it cannot act as auditctl_owner (authority.sql)."""
    row = conn.execute(resources.sql_text("queries/authority.sql")).fetchone()
    return row is not None and not row[1] and bool(row[3])


def read(conn: Connection) -> tuple[str, ...] | None:
    """Return the names and globs of the tables that administrators may change; None for all tables."""
    row = conn.execute("select patterns from auditctl.administration").fetchone()
    return tuple(row[0]) if row else None


def outside(conn: Connection, names: Iterable[str]) -> list[str]:
    """Return those names of rules and tables that administrators may not change, in their order."""
    rows = conn.execute("select auditctl.not_administrable(%s)", [list(names)])
    return [name for (name,) in rows]


def changes(stored: tuple[str, ...] | None, wanted: tuple[str, ...] | None) -> Iterator[Change]:
    """Yield the change that makes the limit the one that a file states; nothing where the file states none."""
    if wanted is None or stored == wanted:
        return
    statement = sql.SQL(
        "insert into auditctl.administration (patterns) values ({}::text[]) on conflict (name) do update "
        "set (patterns, set_by, set_at) = row(excluded.patterns, session_user, now())"
    ).format(list(wanted))
    kind = ChangeKind.CREATE if stored is None else ChangeKind.REPLACE
    reason = f"Administrators may change {', '.join(wanted) or 'no table'}."
    run = Statement(statement.as_string(None), as_owner=True)
    yield Change(kind, SECTION, Action.EVENT, SECTION, reason, (run,), records_itself=True, is_setting=True)
