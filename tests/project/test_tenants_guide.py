"""The guide for tenants: every command of the page is run, in its order, on hundreds of schemas."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.fixtures.databases import connect
from tests.project.test_docs import fenced
from tests.support.dumps import require_programs

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "tenants.md"
TENANTS = 12
"""How many schemas there are; with 300 it takes minutes."""
TABLES = ("customer", "invoice", *(f"t{number}" for number in range(8)))
COLUMNS = "id bigint primary key, name text, card_number text"


class Console:
    """Runs the blocks of the page, as a superuser on the machine of the server does.

    Attributes:
        blocks: The blocks that were not run yet: language and text.
    """

    def __init__(self, server: EmbeddedServer, dsn: str, folder: Path) -> None:
        """Read the page, and put the programs on the path."""
        blocks = [(kind, text) for kind in ("sh", "sql") for text in fenced(PAGE, kind)]
        page = PAGE.read_text("utf-8")
        self.blocks = sorted(blocks, key=lambda block: page.index(f"```{block[0]}\n{block[1]}"))
        self._folder = folder
        known: dict[str, Any] = conninfo_to_dict(dsn)
        self._name = known["dbname"]
        programs = f"{Path(sys.executable).parent}:{server.bindir}:{os.environ['PATH']}"
        self._env = os.environ | {"PATH": programs, "AUDITCTL_DSN": dsn, "PGDATABASE": self._name}
        self._env.pop("COLUMNS", None)  # what a test runner sets for its own output
        self._env |= {"PGHOST": known["host"], "PGPORT": str(known["port"]), "PGUSER": known["user"]}

    def run(self, number: int) -> str:
        """Run the next blocks, and return what they print, messages included."""
        return "".join(self._run(*self.blocks.pop(0)) for _ in range(number))

    def _run(self, kind: str, text: str) -> str:
        script = text.replace("--dbname=shop", f"--dbname={self._name}")
        command = ["bash", "-e", "-o", "pipefail"] if kind == "sh" else ["psql", "-X", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(
            command, input=script, cwd=self._folder, env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


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
    console = Console(server, db, tmp_path)
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
