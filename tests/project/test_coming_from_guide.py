"""The guide for people who come from other tools: every block is run, on tables in the shape of those tools.

`pytest tests/project/test_coming_from_guide.py --update-golden` writes the output into the page.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from tests.fixtures.databases import connect
from tests.support import former_tools
from tests.support.dumps import require_programs
from tests.support.guide import Console, Reading

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = "coming-from.md"
TOOLS = (
    former_tools.SHOP, former_tools.SUPA_AUDIT, former_tools.PGHISTORY, former_tools.POSTGRESQL_AUDIT,
    former_tools.AUDIT_TRIGGER,
)  # fmt: skip

IMPORTED = """
    select target_id, action::text, actor, actor_kind::text, host(ip), old_values, new_values
      from auditctl.event where target = %s and context ? 'imported_from' order by event_id
"""
CAPTURED = "select target_id from auditctl.event where target = %s and not context ? 'imported_from'"


def test_the_guide_does_what_it_says(
    server: EmbeddedServer,
    empty_db: str,
    role_names: list[str],
    tmp_path: Path,
    auditctl: RunAuditctl,
    update_golden: bool,
) -> None:
    require_programs(server, "psql")
    role_names += ["dana", "billing_web"]
    with connect(empty_db) as conn:
        for statements in (*TOOLS, former_tools.WORK, *former_tools.AGE):
            conn.execute(statements)
        console = Console(
            PAGE, server, make_conninfo(empty_db, user="dana"), tmp_path, {}, None, ("sh", "sql", "console")
        )
        reading = Reading(console, is_guarded=True, update=update_golden)
        for block in console.blocks:
            reading.run(block)

        def imported(target: str) -> list[tuple[object, ...]]:
            return [tuple(row) for row in conn.execute(IMPORTED, [target])]

        brandt, vogel = {"id": 7, "name": "Brandt", "balance": 10.00}, {"id": 8, "name": "Vogel", "balance": 0}
        assert imported("billing.customer") == [
            ("7", "CREATE", None, "system", None, None, brandt),
            ("7", "UPDATE", None, "system", None, {"balance": 10.00}, {"balance": 12.50}),
            ("8", "CREATE", None, "system", None, None, vogel),
            ("8", "DELETE", None, "system", None, vogel, None),
        ]
        first, second = {"id": 1, "customer_id": 7, "amount": 12.50}, {"id": 1, "customer_id": 7, "amount": 13.00}
        assert imported("billing.invoice") == [
            ("1", "CREATE", "42", "application", None, None, first),
            ("1", "UPDATE", "42", "application", None, {"amount": 12.50}, {"amount": 13.00}),
            ("1", "DELETE", None, "system", None, second, None),
        ]
        payment = {"invoice_id": 1, "number": 1, "amount": 12.50}
        assert imported("billing.payment") == [
            ("[1, 1]", "CREATE", "42", "application", "203.0.113.7", None, payment),
            ("[1, 1]", "UPDATE", "42", "application", "203.0.113.7", {"amount": 12.50}, {"amount": 13.00}),
        ]
        assert conn.execute(CAPTURED, ["billing.payment"]).fetchall() == [("[2, 1]",)]
        login = imported("billing.contract")[0][2]
        assert imported("billing.contract") == [
            ("3", "CREATE", login, "database", None, None, {"id": "3", "terms": "net 30"}),
            ("3", "UPDATE", login, "database", None, {"terms": "net 30"}, {"terms": "net 14"}),
            (None, "TRUNCATE", login, "database", None, None, None),
        ]
        former = "select tgrelid::regclass::text from pg_trigger where not tgisinternal and tgname !~ '^auditctl'"
        assert conn.execute(f"{former} and tgrelid::regclass::text ~ '^billing'".encode()).fetchall() == []
    found = json.loads(auditctl("doctor", "--all-events", "--format", "json", dsn=empty_db).out)
    of_log = r"log_|event_|write_once|capture_|trigger_"
    assert [finding["check"] for finding in found if re.match(of_log, finding["check"])] == []
