"""A database of three tenants, each with the same two tables, and what their capture records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditctl.capture import rule_store
from tests.fixtures.databases import connect
from tests.support.capturing import events

if TYPE_CHECKING:
    import psycopg

TENANTS = ("tenant_001", "tenant_002", "tenant_004")
TABLES = ("customer", "orders")


def make_tenants(dsn: str) -> None:
    with connect(dsn) as conn:
        for schema in TENANTS:
            conn.execute(f"create schema {schema}".encode())
            for table in TABLES:
                conn.execute(f"create table {schema}.{table} (id integer primary key, v text)".encode())


def file(*rules: tuple[str, ...]) -> str:
    return "".join(f'[[table]]\nname = "{name}"\nactions = {json.dumps(actions)}\n' for name, *actions in rules)


def stored(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return [(r.name, *(a.value.lower() for a in r.actions)) for r in rule_store.read(conn)]


def captured(conn: psycopg.Connection) -> dict[str, str]:
    """What a change of each table leaves in the log: the tables that leave something, with the actions."""
    found = {}
    for schema in TENANTS:
        for table in TABLES:
            with conn.transaction(force_rollback=True):
                name = f"{schema}.{table}"
                change = f"insert into {name} values (1, 'x'); update {name} set v = 'y'; delete from {name}"
                conn.execute(change.encode())
                if actions := [event[1].lower() for event in events(conn, name)]:
                    found[name] = " ".join(actions)
    return found


EVERYTHING = dict.fromkeys((f"{schema}.{table}" for schema in TENANTS for table in TABLES), "create update delete")
"""What is captured where all tables are audited."""
