"""The guide for tenants: every command of the page is run, in its order, on hundreds of schemas."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.fixtures.databases import connect
from tests.support.dumps import require_programs
from tests.support.guide import Console

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TENANTS = int(os.environ.get("TENANTS", "40"))
"""How many schemas there are, of ten tables."""
TABLES = ("customer", "invoice", *(f"t{number}" for number in range(8)))
COLUMNS = "id bigint primary key, name text, card_number text"


def make_tenants(conn: psycopg.Connection, number: int) -> None:
    for tenant in range(1, number + 1):
        tables = " ".join(f"create table {table} ({COLUMNS})" for table in TABLES)
        conn.execute(f"create schema tenant_{tenant:03} {tables}".encode())


def work(dsn: str) -> None:
    """What the tenants' applications do."""
    for tenant in (2, 4):
        with connect(dsn) as conn, conn.transaction():
            conn.execute("select auditctl.set_context('alice')")
            conn.execute(f"insert into tenant_{tenant:03}.customer values (7, 'Seven', '4111')".encode())
            conn.execute(f"update tenant_{tenant:03}.customer set name = 'Sieben' where id = 7".encode())


def test_the_guide_does_what_it_says(server: EmbeddedServer, db: str, login: MakeLogin, tmp_path: Path) -> None:
    require_programs(server, "psql", "pg_dump", "pg_restore")
    console = Console(
        "tenants.md", server, db, tmp_path, {"--dbname=shop": f"--dbname={conninfo_to_dict(db)['dbname']}"}
    )
    with connect(db) as conn:
        make_tenants(conn, TENANTS)
        enabled = console.run(1)
        assert f"{10 * TENANTS:,} tables, such as tenant_001.customer".replace(",", "") in enabled.replace(",", "")
        created = console.run(3)
        assert "tenant_new.customer" in created
        work(login("web", roles=["auditctl_app"], attributes="superuser").dsn)
        assert "add" in console.run(2)
        found = console.run(1)
        assert "alice" in found
        assert "4111" not in found + (tmp_path / "tenant_004.csv").read_text("utf-8")
        dropped = console.run(1)
        assert "gone: tenant_002." in dropped
        assert "alice" in dropped
        restored = console.run(1)
        assert "tenant_002.customer" in restored
        assert conn.execute("select id, name from tenant_002.customer").fetchall() == [(7, "Sieben")]
        assert "no longer captures" in console.run(1)
        assert console.blocks == []
