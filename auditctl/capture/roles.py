"""Grants and revokes membership in auditctl's roles, and reads whether a login may configure."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from psycopg import sql

from auditctl import database, resources
from auditctl.capture.plan import Plan
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, UsageError
from auditctl.names import GRANTABLE_ROLES, ROLE_OWNER
from auditctl.table_names import qualified


@dataclass(frozen=True, slots=True)
class Authority:
    """Whether a login may configure: it must be able to act as auditctl_owner and as the tables' owners.

    Attributes:
        login: The login.
        may_configure: Whether it can act as auditctl_owner.
        others: Other logins that can, without superusers, by name; at most five.
        not_owned: The tables of a plan that it cannot act as the owner of, each with the owner, by name.
    """

    login: str
    may_configure: bool
    others: tuple[str, ...] = ()
    not_owned: tuple[tuple[str, str], ...] = ()

    @property
    def may_apply(self) -> bool:
        """Whether it can apply the plan."""
        return self.may_configure and not self.not_owned


def read_authority(conn: Connection, planned: Plan | None = None) -> Authority:
    """Return what the session's login may do, by queries/authority.sql and, for a plan, queries/not_owned.sql."""
    row = conn.execute(resources.sql_text("queries/authority.sql")).fetchone()
    if row is None:
        return Authority(conn.info.user, False)
    changes = planned.pending if planned is not None else ()
    relations = {change.relation_oid for change in changes if not all(s.as_owner for s in change.statements)}
    rows = conn.execute(resources.sql_text("queries/not_owned.sql"), {"relations": [oid for oid in relations if oid]})
    owned_by_others = tuple((qualified(schema, table), owner) for schema, table, owner in rows)
    return Authority(row[0], row[1], tuple(row[2]), owned_by_others)


def grant(conn: Connection, role: str, login: str) -> bool:
    """Make a login a member of one of auditctl's roles; return False where it was one already.

    Args:
        conn: The connection; its login must hold the role with ADMIN OPTION, or be a superuser (before PostgreSQL
            16: have CREATEROLE).
        role: `reader`, `admin` or `app`.
        login: The role that becomes a member.

    Raises:
        ConfigurationError: There is no such login.
        DatabaseError: No permission.
    """
    return _change(conn, role, login, member=True)


def revoke(conn: Connection, role: str, login: str) -> bool:
    """End a membership; return False where there was none. Arguments and errors as for `grant`."""
    return _change(conn, role, login, member=False)


def _change(conn: Connection, role: str, login: str, *, member: bool) -> bool:
    name = GRANTABLE_ROLES[role]
    if not login or "\0" in login:
        raise UsageError(
            "a login's name cannot be empty or contain a NUL byte", hint="List the logins in psql with: \\du"
        )
    if login in (ROLE_OWNER, *GRANTABLE_ROLES.values()):
        raise UsageError(f"{login} is a role of auditctl itself", hint="Name the login of a person or an application.")
    with database.transaction(conn):
        if conn.execute("select from pg_roles where rolname = %s", [login]).fetchone() is None:
            raise ConfigurationError(
                [f"there is no login {login}"], hint=f'Create it first: create role "{login}" login'
            )
        if _is_member(conn, name, login) is member:
            return False
        verb = sql.SQL("grant {} to {}") if member else sql.SQL("revoke {} from {}")
        conn.execute(verb.format(sql.Identifier(name), sql.Identifier(login)))
        if _is_member(conn, name, login) is not member:
            raise ConfigurationError(
                [f"{login} keeps {name}, which another role granted"],
                hint="Revoke it as that role: revoke ... granted by ...",
            )
        _record(conn, name, login)
    return True


def _is_member(conn: Connection, role: str, login: str) -> bool:
    """Whether a membership for use exists; a role's creator holds one for granting only, from PostgreSQL 16 on."""
    row = conn.execute(
        """
        select from pg_auth_members as m
        where m.roleid = to_regrole(%s) and m.member = (select r.oid from pg_roles as r where r.rolname = %s)
            and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
        """,
        [role, login],
    ).fetchone()
    return row is not None


def _record(conn: Connection, role: str, login: str) -> None:
    may = conn.execute("select has_function_privilege('auditctl.record_membership(text, text)', 'execute')").fetchone()
    with nullcontext() if may == (True,) else database.acting_as(conn, ROLE_OWNER):
        conn.execute("select auditctl.record_membership(%s, %s)", [role, login])
