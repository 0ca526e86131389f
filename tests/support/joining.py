"""What the tests of tables that join by themselves share: schemas of a login, one of them under a glob."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from tests.fixtures.databases import connect
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

OWNERS: LiteralString = """
    create schema t1;
    create schema elsewhere;
    alter schema t1 owner to {owner};
    alter schema elsewhere owner to {owner}
"""


def make_tenants(dsn: str, owner: str) -> None:
    """Make a schema under a glob and one that no rule covers, both of a login without any right on the store."""
    with connect(dsn) as conn:
        conn.execute(OWNERS.format(owner=owner).encode())
    audit(dsn, "t*.*", on_drop="record")


def joined(conn: psycopg.Connection) -> list[str]:
    """The tables that were taken in, in the order of their events."""
    query = """
        select c.change ->> 'joined'
          from auditctl.event as e, jsonb_array_elements(e.new_values -> 'changes') as c (change)
         where e.target = 'auditctl.ddl' and c.change ? 'joined' order by e.event_id
    """
    return [name for (name,) in conn.execute(query)]


def captured(conn: psycopg.Connection) -> list[str]:
    """The audited tables."""
    return [name for (name,) in conn.execute('select target from auditctl.capture order by target collate "C"')]
