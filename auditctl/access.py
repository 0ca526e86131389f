"""Reads who may do what with the log, through which roles, since when and granted by whom (queries/access.sql)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from psycopg.rows import class_row

from auditctl import resources
from auditctl.database import Connection
from auditctl.names import GRANTABLE_ROLES

UNKNOWN = "unknown"
"""How a time or a name is shown that neither the log nor PostgreSQL knows."""


class Power(Enum):
    """What somebody may do, in the order of the list."""

    READ = "read"
    ADMINISTER = "administer"
    NAME = "name"
    OWN = "own"
    TABLE = "table"

    @property
    def phrase(self) -> str:
        """As a phrase that follows `may`."""
        return _PHRASES[self]


_PHRASES = {
    Power.READ: "read the log",
    Power.ADMINISTER: "administer",
    Power.NAME: "name users",
    Power.OWN: "act as owner",
    Power.TABLE: "change audited tables",
}

MEANINGS = {
    Power.READ: "Read and export every event.",
    Power.ADMINISTER: "Change what is audited and how long events stay, and read.",
    Power.NAME: "Name the user who acts, and be believed.",
    Power.OWN: "Everything: as auditctl_owner, a superuser, or the server's own user. It includes all of the above.",
    Power.TABLE: "Change the data and the columns of the tables as their owner.",
}
"""What each power allows, as a sentence."""

POWERS = {"reader": Power.READ, "backup": Power.READ, "admin": Power.ADMINISTER, "app": Power.NAME}
"""What each role that can be granted gives, by the name that `auditctl grant` has for it."""

_WORDS = (UNKNOWN, "itself", "public", "superuser", "createrole")
"""What the list says in the place of a role, in lower case."""

_GRANTABLE = """
    select role.rolname::text
      from pg_roles as role
     cross join pg_roles as own
     where role.rolname = any (%s) and own.rolname = session_user
       and (
           pg_has_role(own.oid, role.oid, 'member with admin option')
           or own.rolcreaterole and current_setting('server_version_num')::integer < 160000
       )
"""
"""A superuser is a member of every role, with ADMIN OPTION."""


@dataclass(frozen=True, slots=True)
class Link:
    """A membership of a role in another, or a privilege that was granted directly.

    Attributes:
        role: What was granted.
        member: To whom.
        since: Since when; None if neither the log nor PostgreSQL knows.
        granted_by: By whom: the user of the event where the log has one, else the role that PostgreSQL remembers.
        takes: Whether the member may not use the role before it grants it to itself, as its ADMIN OPTION allows.
    """

    role: str
    member: str
    since: datetime | None
    granted_by: str | None
    takes: bool


@dataclass(frozen=True, slots=True)
class Access:
    """A power of a login, by one chain of roles.

    Attributes:
        login: The login; `PUBLIC` where it is every login.
        power: What it may do.
        how: The attribute or privilege that gives the power; None for a role of auditctl and for tables.
        links: From the login's own membership to the one that gives the power; empty where the login has it itself.
        tables: The audited tables, with `Power.TABLE`.
        is_public: Whether every login may, and not one that is named PUBLIC.
    """

    login: str
    power: Power
    how: str | None
    links: tuple[Link, ...]
    tables: tuple[str, ...]
    is_public: bool = False

    @property
    def name(self) -> str:
        """The login for people, as `shown` has it; PUBLIC without quotes is every login."""
        return self.login if self.is_public else shown(self.login)

    @property
    def through(self) -> tuple[str, ...]:
        """What gives the power, from the login on: roles, then an attribute or a privilege."""
        roles = tuple(link.role for link in self.links)
        return roles if self.how is None or self.how in roles else (*roles, self.how)

    @property
    def chain(self) -> tuple[str, ...]:
        """`through` for people, with names as `shown` has them."""
        return tuple(name if name == self.how else shown(name) for name in self.through)

    @property
    def since(self) -> datetime | None:
        """Since when: the newest of the links; None if that of any is unknown."""
        times = [link.since for link in self.links]
        known = [time for time in times if time is not None]
        return max(known) if known and len(known) == len(times) else None

    @property
    def granted_by(self) -> str | None:
        """Who granted the login its own membership; None if that is unknown."""
        return self.links[0].granted_by if self.links else None


@dataclass(frozen=True, slots=True)
class Review:
    """Who may do what at one moment.

    Attributes:
        database: The database.
        at: The server's clock.
        access: By power, then login.
    """

    database: str
    at: datetime
    access: tuple[Access, ...]

    def chains(self, login: str, power: Power) -> tuple[Access, ...]:
        """Every chain of roles by which a login may do something."""
        return tuple(one for one in self.access if (one.login, one.power) == (login, power) and not one.is_public)


@dataclass(frozen=True, slots=True)
class _Row:
    login: str
    is_public: bool
    power: str
    how: str | None
    links: list[dict[str, Any]]
    tables: list[str]


def read(conn: Connection) -> Review:
    """Return who may do what now, as the catalogs say it.

    Raises:
        DatabaseError: The login may not read the log.
    """
    ((database, at),) = conn.execute("select current_database()::text, clock_timestamp()").fetchall()
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(resources.sql_text("queries/access.sql").encode()).fetchall()
    return Review(database, at, tuple(_access(row) for row in rows))


def shown(name: str) -> str:
    """Return a role's name for a list: in double quotes, as in SQL, if it might pass for a word or another role.

    Roles may be called `carol ` or `a > auditctl_reader`.
    """
    is_plain = re.fullmatch(r"[\w.@$-]+", name) and name.lower() not in _WORDS
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def grantable(conn: Connection) -> tuple[str, ...]:
    """Return the roles that the connection's login may grant and revoke, as `auditctl grant` names them."""
    rows = conn.execute(_GRANTABLE, [list(GRANTABLE_ROLES.values())]).fetchall()
    names = {name for (name,) in rows}
    return tuple(short for short, name in GRANTABLE_ROLES.items() if name in names)


def _access(row: _Row) -> Access:
    links = tuple(
        Link(**{**link, "since": datetime.fromisoformat(link["since"]) if link["since"] else None})
        for link in row.links
    )
    return Access(row.login, Power(row.power), row.how, links, tuple(row.tables), row.is_public)
