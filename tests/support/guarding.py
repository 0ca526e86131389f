"""What the tests of attacks on the coverage guard share: audited tables whose owner is no superuser."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from tests.fixtures.databases import connect
from tests.support.capturing import audit

TABLES: LiteralString = """
    create schema s;
    create table s.a (id integer primary key, v text);
    create table s.p (id integer, v text, primary key (id)) partition by range (id);
    create table s.p1 partition of s.p for values from (0) to (10);
    create table s.parent (id integer primary key, v text);
    create table s.child (extra text) inherits (s.parent);
    create function s.nothing() returns trigger language plpgsql as $$ begin return null; end $$
"""


def make_audited(dsn: str, owner: str) -> None:
    """Make the tables, audited, which a login owns with their schema."""
    with connect(dsn) as conn:
        conn.execute(TABLES)
        name = sql.Identifier(owner)
        for thing in (
            "schema s",
            "function s.nothing()",
            *(f"table s.{t}" for t in ("a", "p", "p1", "parent", "child")),
        ):
            conn.execute(sql.SQL(f"alter {thing} owner to {{}}").format(name))
        conn.execute(sql.SQL("grant create on schema public to {}").format(name))
    audit(dsn, "s.a", "s.p", "s.parent")
