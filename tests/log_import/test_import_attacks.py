"""Who may import, and what whoever may import cannot make the log say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.fixtures.databases import connect
from tests.support.server_log import imported

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

CALLS: list[LiteralString] = [
    "select auditctl.import_reads('[]')",
    "select auditctl.import_own_reads('[]')",
    "select auditctl.settle_reads()",
    "select auditctl.note_log_file('f', 'pg.json', 'jsonlog', 0, 0, '', 0)",
    "select auditctl.record_import('{}', 'x')",
]
OWNERS: list[LiteralString] = [
    "select auditctl_internal.insert_imported_read('{}', '{}')",
    "select auditctl_internal.settle_read('{}', '{}')",
    "select auditctl_internal.prune_read_lines('infinity')",
    "select auditctl_internal.lock_import()",
    "select from auditctl.import_horizon for update",
    "update auditctl.import_horizon set pruned_before = 'infinity'",
    "insert into auditctl.read_line values (gen_random_uuid(), now())",
    "delete from auditctl.read_line",
    "delete from auditctl.log_file",
]

TRUE = {
    "key": "1",
    "at": "2026-11-24T08:00:00+00:00",
    "login": "reader",
    "host": "192.0.2.7",
    "target": "shop.customer",
    "already_recorded": False,
    "context": {"source": "pgaudit object"},
}


@pytest.mark.parametrize(
    "roles", [[], ["auditctl_reader"], ["auditctl_app"], ["auditctl_admin"], ["pg_write_all_data"]]
)
def test_only_admins_import_and_nobody_writes_the_bookkeeping(login: MakeLogin, roles: list[str]) -> None:
    other = login("mallory", roles=roles)
    for call in [*OWNERS, *([] if "auditctl_admin" in roles else CALLS)]:
        with connect(other.dsn) as session:
            try:
                done = session.execute(call).rowcount
            except psycopg.errors.InsufficientPrivilege:
                continue
        # Members of pg_write_all_data hold the privilege, but no policy shows them a row or lets one in.
        assert (roles, done) == (["pg_write_all_data"], 0)


def test_admin_who_calls_the_function_himself_is_named(conn: psycopg.Connection, login: MakeLogin) -> None:
    admin = login("dana", roles=["auditctl_admin"])
    context = {
        "source": "pgaudit object",
        "imported_by": "postgres",
        "summary": "read by nobody",
        "previous_target_id": "7",
        "claimed_actor": "x",
    }
    with connect(admin.dsn) as session:
        session.execute("set auditctl.actor = 'alice'")
        session.execute("select auditctl.import_reads(%s)", [Jsonb([{**TRUE, "context": context}])])
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
        {"target": "auditctl.rule"},
        {"target": "AUDITCTL.export"},
        {"target": '"auditctl".export'},
        {"target": "auditctl_triggers.x"},
        {"at": "infinity"},
        {"at": "-infinity"},
        {"at": "4000-01-01 00:00:00+00 BC"},
        {"at": "2999-01-01T00:00:00+00:00"},
    ],
)
def test_what_no_line_can_tell_is_left_out(conn: psycopg.Connection, change: dict[str, Any]) -> None:
    outcomes: dict[str, int] = dict(
        conn.execute("select outcome, lines from auditctl.import_reads(%s)", [Jsonb([{**TRUE, **change}])])
    )
    assert outcomes == {"made": 0, "recorded": 0, "expired": 1}
    assert imported(conn) == []


def test_imported_event_is_write_once_like_any_other(conn: psycopg.Connection) -> None:
    conn.execute("select auditctl.import_reads(%s)", [Jsonb([TRUE])])
    for statement in ("delete from auditctl.event", "update auditctl.event set actor = 'x'"):
        with pytest.raises(psycopg.Error) as refused:
            conn.execute(statement)
        assert refused.value.sqlstate == "UA001"
