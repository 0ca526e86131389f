"""Whether a login may configure, and which one may: it must act as auditctl_owner and as the tables' owners."""

from __future__ import annotations

from dataclasses import dataclass

from auditctl import resources
from auditctl.capture.plan import Plan
from auditctl.capture.table_names import qualified
from auditctl.database import Connection


@dataclass(frozen=True, slots=True)
class Authority:
    """What a login may do about the configuration.

    Attributes:
        login: The login.
        may_configure: Whether it can act as auditctl_owner.
        others: Logins that can and are no superusers, by name; at most five.
        not_owned: The tables of a plan that it cannot act as the owner of, each with the owner, by name.
    """

    login: str
    may_configure: bool
    others: tuple[str, ...] = ()
    not_owned: tuple[tuple[str, str], ...] = ()

    @property
    def may_apply(self) -> bool:
        """Whether nothing that is known here keeps it from carrying the plan out."""
        return self.may_configure and not self.not_owned


def read(conn: Connection, planned: Plan | None = None) -> Authority:
    """Look the session's login up (queries/authority.sql), and what a plan needs of it (queries/not_owned.sql)."""
    row = conn.execute(resources.sql_text("queries/authority.sql")).fetchone()
    if row is None:
        return Authority(conn.info.user, False)
    changes = planned.pending if planned is not None else ()
    relations = {change.relation_oid for change in changes if not all(s.as_owner for s in change.statements)}
    found = conn.execute(resources.sql_text("queries/not_owned.sql"), {"relations": [oid for oid in relations if oid]})
    owned_by_others = tuple((qualified(schema, table), owner) for schema, table, owner in found)
    return Authority(row[0], row[1], tuple(row[2]), owned_by_others)
