"""Who may import, and what whoever may import cannot make the log say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.fixtures.databases import connect
from tests.server_log import imported

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

CALLS: list[LiteralString] = [
    "select audit.import_reads('[]')",
    "select audit.import_own_reads('[]')",
    "select audit.settle_reads()",
    "select audit.note_log_file('f', 'pg.json', 'jsonlog', 0, 0, '', 0)",
    "select audit.record_import('{}', 'x')",
]
OWNERS: list[LiteralString] = [
    "select audit.insert_imported_read('{}', '{}')",
    "select audit.settle_read('{}', '{}')",
    "select audit.prune_read_lines('infinity')",
    "select audit.lock_import()",
    "select from audit.import_horizon for update",
    "update audit.import_horizon set pruned_before = 'infinity'",
    "insert into audit.read_line values (gen_random_uuid(), now())",
    "delete from audit.read_line",
    "delete from audit.log_file",
]

TRUE = {
    "key": "1",
    "at": "2026-11-24T08:00:00+00:00",
    "login": "reader",
    "host": "192.0.2.7",
    "target": "shop.customer",
    "is_told": False,
    "context": {"source": "pgaudit object"},
}


@pytest.mark.parametrize("roles", [[], ["audit_reader"], ["audit_app"], ["audit_admin"], ["pg_write_all_data"]])
def test_only_admins_import_and_nobody_writes_the_bookkeeping(login: MakeLogin, roles: list[str]) -> None:
    other = login("mallory", roles=roles)
    for call in [*OWNERS, *([] if "audit_admin" in roles else CALLS)]:
        with connect(other.dsn) as session:
            try:
                done = session.execute(call).rowcount
            except psycopg.errors.InsufficientPrivilege:
                continue
        # Members of pg_write_all_data hold the privilege, but no policy shows them a row or lets one in.
        assert (roles, done) == (["pg_write_all_data"], 0)


def test_admin_who_calls_the_function_himself_is_named(conn: psycopg.Connection, login: MakeLogin) -> None:
    admin = login("dana", roles=["audit_admin"])
    context = {
        "source": "pgaudit object",
        "imported_by": "postgres",
        "summary": "read by nobody",
        "previous_target_id": "7",
        "claimed_actor": "x",
    }
    with connect(admin.dsn) as session:
        session.execute("set auditctl.actor = 'alice'")
        session.execute("select audit.import_reads(%s)", [Jsonb([{**TRUE, "context": context}])])
    assert imported(conn) == [
        (
            datetime(2026, 11, 24, 8, tzinfo=UTC),
            "reader",
            "database",
            "192.0.2.7",
            "reader",
            "shop.customer",
            {"source": "pgaudit object", "imported_by": admin.name},
        )
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"target": "audit.rule"},
        {"target": "AUDIT.export"},
        {"target": '"audit".export'},
        {"target": "audit_triggers.x"},
        {"at": "infinity"},
        {"at": "-infinity"},
        {"at": "4000-01-01 00:00:00+00 BC"},
        {"at": "2999-01-01T00:00:00+00:00"},
    ],
)
def test_what_no_line_can_tell_is_left_out(conn: psycopg.Connection, change: dict[str, Any]) -> None:
    outcomes: dict[str, int] = dict(
        conn.execute("select outcome, lines from audit.import_reads(%s)", [Jsonb([{**TRUE, **change}])])
    )
    assert outcomes == {"made": 0, "recorded": 0, "expired": 1}
    assert imported(conn) == []


def test_imported_event_is_write_once_like_any_other(conn: psycopg.Connection) -> None:
    conn.execute("select audit.import_reads(%s)", [Jsonb([TRUE])])
    for statement in ("delete from audit.event", "update audit.event set actor = 'x'"):
        with pytest.raises(psycopg.Error) as refused:
            conn.execute(statement)
        assert refused.value.sqlstate == "UA001"
