"""Reads on a standby, which can write no event: its log is imported into the primary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditctl import session_settings
from tests.fixtures.databases import connect
from tests.support import server_log
from tests.support.server_log import imported
from tests.support.standby import Standby

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.logs import Logged

pytestmark = pytest.mark.slow  # needs a standby server


def test_read_on_a_standby_is_imported_into_the_primary(
    auditctl: RunAuditctl, logged: Logged, logging_server: EmbeddedServer
) -> None:
    if not (logged.has_pgaudit and (logging_server.bindir / "pg_basebackup").exists()):
        return  # the lines are as on the primary; tests/logs has them
    server_log.set_up(logged.dsn)
    with connect(logged.dsn) as conn:
        conn.execute("grant select on all tables in schema shop to readlog")
        name = conn.info.dbname
    with Standby(logging_server) as standby:
        with connect(standby.dsn(name, "reader")) as reader:
            assert reader.execute("select pg_is_in_recovery()").fetchone() == (True,)
            reader.execute("select from shop.customer")
        replace(logged, folder=standby.data / "log").wait_for("select from shop.customer")
        auditctl("import-log", standby.data / "log", dsn=logged.dsn, check=0)
    with connect(logged.dsn) as conn:
        assert [(row[1], row[5], row[-1]["source"]) for row in imported(conn)] == [
            ("reader", "shop.customer", "pgaudit object")
        ]


def test_import_into_a_standby_says_to_use_the_primary(
    auditctl: RunAuditctl, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(session_settings.SETTINGS, "default_transaction_read_only", "on")
    result = auditctl("import-log", server_log.RECORDED, check=5)
    assert result.err.endswith("hint: The server is read-only, such as a standby; use the primary.\n")
