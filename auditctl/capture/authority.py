"""Whether a login may configure, and which one may: it must be able to act as audit_owner."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl import resources
from auditctl.database import Connection


@dataclass(frozen=True, slots=True)
class Authority:
    """What a login may do about the configuration.

    Attributes:
        login: The login.
        may_configure: Whether it can act as audit_owner. Triggers need the table's owner beside that.
        others: Logins that can and are no superusers, by name; at most five.
    """

    login: str
    may_configure: bool
    others: tuple[str, ...] = ()


def read(conn: Connection) -> Authority:
    """Look the session's login up (queries/authority.sql)."""
    row = conn.execute(resources.sql_text("queries/authority.sql")).fetchone()
    return Authority(row[0], row[1], tuple(row[2])) if row else Authority(conn.info.user, False)
