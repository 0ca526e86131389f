"""Grants and revokes membership in auditctl's roles, and reads whether a login may configure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from auditctl import database, resources
from auditctl.capture import administer
from auditctl.capture.plan import Plan
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, DatabaseError, UsageError
from auditctl.names import GRANTABLE_ROLES, ROLE_BACKUP, ROLE_OWNER
from auditctl.table_names import qualified


@dataclass(frozen=True, slots=True)
class Authority:
    """Whether a login may configure: as an administrator, or as one that acts as auditctl_owner and the tables' owners.

    Attributes:
        login: The login.
        may_configure: Whether it is an administrator or can act as auditctl_owner.
        others: Other logins that can, without superusers, by name; at most five.
        not_owned: The tables of a plan that it cannot act as the owner of, each with the owner, by name; not for an
            administrator.
        refusal: Why a plan is not for administrators, as `administer.refusal` says it; None if it is.
    """

    login: str
    may_configure: bool
    others: tuple[str, ...] = ()
    not_owned: tuple[tuple[str, str], ...] = ()
    refusal: str | None = None

    @property
    def may_apply(self) -> bool:
        """Whether it can apply the plan."""
        return self.may_configure and not self.not_owned and self.refusal is None


def read_authority(conn: Connection, planned: Plan | None = None) -> Authority:
    """Return what the session's login may do, by queries/authority.sql and, for a plan, queries/not_owned.sql."""
    row = conn.execute(resources.sql_text("queries/authority.sql")).fetchone()
    if row is None:
        return Authority(conn.info.user, False)
    if not row[1] and row[3]:
        refusal = administer.refusal(conn, planned) if planned is not None else None
        return Authority(row[0], True, refusal=refusal)
    changes = planned.pending if planned is not None else ()
    relations = {change.relation_oid for change in changes if not all(s.as_owner for s in change.statements)}
    rows = conn.execute(
        resources.sql_text("queries/not_owned.sql"), {"relations": [oid for oid in relations if oid], "role": None}
    )
    owned_by_others = tuple((qualified(schema, table), owner) for schema, table, owner in rows)
    return Authority(row[0], row[1], tuple(row[2]), owned_by_others)


@dataclass(frozen=True, slots=True)
class _Power:
    """What a login has or has not: a membership or an attribute.

    Attributes:
        name: The role or attribute.
        query: Whether the login has it; `name` and `login` are its parameters.
        grant: Gives it to a login.
        revoke: Takes it from a login.
    """

    name: str
    query: LiteralString
    grant: LiteralString
    revoke: LiteralString


# A role's creator holds a membership for granting only, from PostgreSQL 16 on.
_MEMBER: LiteralString = """
    select from pg_auth_members as m
    where m.roleid = to_regrole(%(name)s) and m.member = (select r.oid from pg_roles as r where r.rolname = %(login)s)
        and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
"""

_BYPASSRLS = _Power(
    "BYPASSRLS",
    "select from pg_roles as r where r.rolname = %(login)s and r.rolbypassrls",
    "alter role {login} bypassrls",
    "alter role {login} nobypassrls",
)


def _membership(role: str) -> _Power:
    return _Power(role, _MEMBER, "grant {name} to {login}", "revoke {name} from {login}")


_DUMP = (_membership(ROLE_BACKUP), _membership("pg_read_all_data"), _BYPASSRLS)
"""What a whole dump needs."""


def dumpers(conn: Connection) -> tuple[str, ...]:
    """Return the logins other than superusers that can dump the whole database, by name (queries/dump_role.sql)."""
    return tuple(name for (name,) in conn.execute(resources.sql_text("queries/dump_role.sql").encode()))


def unreadable_large_objects(conn: Connection, login: str) -> int:
    """Return how many large objects a login may not read, and cannot dump (queries/unreadable_large_object.sql)."""
    row = conn.execute(resources.sql_text("queries/unreadable_large_object.sql"), {"login": login}).fetchone()
    return int(row[0]) if row else 0


def grant(conn: Connection, role: str, login: str) -> bool:
    """Make a login a member of one of auditctl's roles; return False where it was one already.

    Args:
        conn: The connection; its login must hold the role with ADMIN OPTION, or be a superuser (before PostgreSQL
            16: have CREATEROLE).
        role: `reader`, `admin`, `app` or `backup`.
        login: The role that becomes a member.

    Raises:
        ConfigurationError: The login does not exist.
        DatabaseError: No permission.
    """
    return _change(conn, role, login, [_membership(GRANTABLE_ROLES[role])], present=True)


def grant_backup(conn: Connection, login: str) -> bool:
    """Give a login all that a whole pg_dump needs: auditctl_backup, BYPASSRLS and pg_read_all_data.

    Returns:
        Whether anything was granted; False where the login had all of it.

    Raises:
        ConfigurationError: The login does not exist, it is a superuser, or it does not inherit what it is granted.
        DatabaseError: No permission for one of them; nothing is granted then.
    """
    with _explained(conn, login), database.transaction(conn):
        is_changed = _change(conn, "backup", login, _DUMP, present=True)
        row = conn.execute(
            "select rolsuper, pg_has_role(oid, 'pg_read_all_data', 'usage') and pg_has_role(oid, %s, 'usage') "
            "from pg_roles where rolname = %s",
            [ROLE_BACKUP, login],
        ).fetchone()
        if row and row[0]:
            raise ConfigurationError(
                [f"{login} is a superuser, and can dump everything already"],
                hint="Name a login of its own for backups, which can change nothing.",
            )
        if not row or not row[1]:
            raise ConfigurationError(
                [f"{login} does not inherit the privileges of its roles"],
                hint=f"Run this first: {_inheriting(conn, login)}",
            )
    return is_changed


def _inheriting(conn: Connection, login: str) -> str:
    """Return the statement after which a login inherits what it is granted for dumps."""
    if conn.info.server_version < 160000:
        return f"alter role {_quoted(conn, login)} inherit"
    return f"grant {ROLE_BACKUP}, pg_read_all_data to {_quoted(conn, login)} with inherit true"


def _quoted(conn: Connection, name: str) -> str:
    return sql.Identifier(name).as_string(conn)


def revoke(conn: Connection, role: str, login: str) -> bool:
    """End a membership, or for `backup` all that `grant_backup` granted; return False where there was none.

    Arguments and errors as for `grant`.
    """
    powers: Sequence[_Power] = [_membership(GRANTABLE_ROLES[role])]
    if role == "backup" and all(_has(conn, power, login) for power in _DUMP):
        powers = _DUMP
    with _explained(conn, login) if powers is _DUMP else nullcontext():
        return _change(conn, role, login, powers, present=False)


@contextmanager
def _explained(conn: Connection, login: str) -> Iterator[None]:
    """Name who may grant and revoke what a dump needs, where this login may not."""
    try:
        with database.errors_translated():
            yield
    except DatabaseError as error:
        if error.sqlstate != database.DENIED:
            raise
        others = ""
        if conn.info.server_version >= 160000:
            others = f", or a login with CREATEROLE and BYPASSRLS that administers {login} and pg_read_all_data"
        raise DatabaseError(
            f"{conn.info.user} may not grant or revoke what a whole dump needs: {error}",
            hint=f"BYPASSRLS takes a superuser{others}. Without one: auditctl grant backup {shlex.quote(login)}, then "
            "pg_dump --enable-row-security by a login that owns all other tables.",
            sqlstate=error.sqlstate,
        ) from error


def require_login(conn: Connection, login: str, *, is_grant: bool = True) -> None:
    """Raise unless a name is that of a login of the server, and of none of auditctl's own roles.

    Args:
        conn: The connection.
        login: The name.
        is_grant: Whether it is to get a role, so that a missing login has to be made.

    Raises:
        UsageError: It cannot be a name, or is one of auditctl's own.
        ConfigurationError: The login does not exist.
    """
    listed = "List the logins in psql with: \\du"
    if not login or "\0" in login:
        raise UsageError("a login's name cannot be empty or contain a NUL byte", hint=listed)
    if login in (ROLE_OWNER, *GRANTABLE_ROLES.values()):
        raise UsageError(f"{login} is a role of auditctl itself", hint="Name the login of a person or an application.")
    if conn.execute("select from pg_roles where rolname = %s", [login]).fetchone() is None:
        created = f"Create it first: create role {_quoted(conn, login)} login"
        raise ConfigurationError([f"the login {login} does not exist"], hint=created if is_grant else listed)


def _change(conn: Connection, role: str, login: str, powers: Sequence[_Power], *, present: bool) -> bool:
    with database.transaction(conn):
        require_login(conn, login, is_grant=present)
        changed = [power for power in powers if _has(conn, power, login) is not present]
        for power in changed:
            _put(conn, power, login, present=present)
        # A membership that was granted in SQL, or in another database, becomes one of this database too.
        is_unknown = present and not changed and not _is_known(conn, GRANTABLE_ROLES[role], login)
        if changed or is_unknown:
            _record(conn, GRANTABLE_ROLES[role], login)
    return bool(changed) or is_unknown


def _is_known(conn: Connection, role: str, login: str) -> bool:
    query = "select from auditctl.member as k where k.role = %s and k.login = %s"
    return conn.execute(query, [role, login]).fetchone() is not None


def _put(conn: Connection, power: _Power, login: str, *, present: bool) -> None:
    statement = sql.SQL(power.grant if present else power.revoke)
    conn.execute(statement.format(name=sql.Identifier(power.name), login=sql.Identifier(login)))
    if _has(conn, power, login) is not present:
        raise ConfigurationError(
            [f"{login} keeps {power.name}, which another role granted"],
            hint=f"Run, as that role or a superuser: {_revocation(conn, power, login)}",
        )


def _revocation(conn: Connection, power: _Power, login: str) -> str:
    rows = conn.execute(
        "select distinct grantor::regrole::text from pg_auth_members "
        "where roleid = to_regrole(%s) and member = (select oid from pg_roles where rolname = %s) order by 1",
        [power.name, login],
    ).fetchall()
    return "; ".join(f"revoke {power.name} from {_quoted(conn, login)} granted by {name}" for (name,) in rows)


def _has(conn: Connection, power: _Power, login: str) -> bool:
    return conn.execute(power.query, {"name": power.name, "login": login}).fetchone() is not None


def _record(conn: Connection, role: str, login: str) -> None:
    may = conn.execute("select has_function_privilege('auditctl.record_membership(text, text)', 'execute')").fetchone()
    with nullcontext() if may == (True,) else database.acting_as(conn, ROLE_OWNER):
        conn.execute("select auditctl.record_membership(%s, %s)", [role, login])
