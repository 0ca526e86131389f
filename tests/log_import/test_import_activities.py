"""`auditctl import-log`: failed logins, refused statements, DDL and statements about roles become events, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.templates import begin_with
from tests.support.server_log import as_csv, as_json, line, set_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

db_template = begin_with(set_up)

DENIED = {"error_severity": "ERROR", "state_code": "42501", "statement": "select * from shop.customer"}
FAILED = {"error_severity": "FATAL", "state_code": "28P01", "ps": "authentication", "detail": "Connection matched"}
WRITE_ONCE = "DELETE on auditctl.event refused: the activity log is write-once"


def lines(database: str) -> list[dict[str, Any]]:
    """One line of each kind, and some that are of none."""
    here = {"dbname": database}
    return [
        line(1, 'password authentication failed for user "mallory"', **here, **FAILED, user="mallory"),
        line(2, "permission denied for table customer", **here, **DENIED),
        line(3, WRITE_ONCE, **here, **{**DENIED, "state_code": "UA001", "ps": "DELETE"}),
        line(4, "AUDIT: SESSION,1,1,DDL,CREATE TABLE,TABLE,shop.x,create table shop.x (),<not logged>", **here),
        line(5, "AUDIT: SESSION,2,1,ROLE,GRANT ROLE,,,grant a to b,<not logged>", **here),
        line(6, "AUDIT: SESSION,3,1,WRITE,INSERT,,,insert,<not logged>", **here),
        line(7, "division by zero", **here, error_severity="ERROR", state_code="22012"),
        line(8, "raised 42501", **here, **{**DENIED, "error_severity": "WARNING"}),
    ]  # fmt: skip


def activities(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """What was imported other than reads: who, target, name, outcome, sentence."""
    return conn.execute(
        "select db_user, target, target_id, context ->> 'outcome', context ->> 'summary' from auditctl.event "
        "where action = 'EVENT' and context ? 'outcome' order by occurred_at, event_id"
    ).fetchall()


EXPECTED = [
    ("mallory", "auditctl.sign_in", "mallory", "failed", 'password authentication failed for user "mallory"'),
    ("reader", "auditctl.refusal", "customer", "refused", "permission denied for table customer"),
    ("reader", "auditctl.refusal", "auditctl.event", "refused", WRITE_ONCE),
    ("reader", "auditctl.ddl_statement", "shop.x", "done", "CREATE TABLE shop.x"),
    ("reader", "auditctl.role_statement", None, "done", "GRANT ROLE"),
]  # fmt: skip
"""The events that `lines` become."""


@pytest.mark.parametrize("write", [as_json, as_csv])
def test_lines_become_events_each_once(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path, write: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    log = tmp_path / "pg.log"
    log.write_bytes(write(lines(conn.info.dbname)))
    result = auditctl("import-log", log, check=0)
    made = "0 reads, 1 DDL statement, 1 statement about roles, 1 failed login, 2 refused statements imported."
    assert result.err == f"8 new lines in 1 file: {made}\n"
    assert activities(conn) == EXPECTED
    again = auditctl("import-log", "--again", log, check=0)
    assert again.err.splitlines()[1] == "  5 imported before, or of a table that the statement names twice"
    assert activities(conn) == EXPECTED


def test_both_formats_of_the_same_activities_count_once(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "pg.json").write_bytes(as_json(lines(conn.info.dbname)))
    (tmp_path / "pg.csv").write_bytes(as_csv(lines(conn.info.dbname)))
    auditctl("import-log", "--dry-run", tmp_path, check=0)
    assert activities(conn) == []
    auditctl("import-log", tmp_path, check=0)
    assert activities(conn) == EXPECTED


def test_event_of_a_failed_login_has_no_claim_of_the_client(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "pg.json").write_bytes(as_json([*lines("postgres")[:3], lines("postgres")[4]]))
    result = auditctl("import-log", "--query", tmp_path, check=0)
    assert "2 of other databases" in result.err
    found = conn.execute(
        "select actor, actor_kind::text, host(ip), context from auditctl.event "
        "where context ? 'outcome' order by occurred_at"
    ).fetchall()
    common = {
        "imported_by": "postgres", "imported_from": "pg.json", "session_id": lines("")[0]["session_id"],
        "database": "postgres",
    }  # fmt: skip
    assert found == [
        ("mallory", "database", "192.0.2.7", {
            **common, "source": "server", "outcome": "failed", "line": 1,
            "summary": 'password authentication failed for user "mallory"',
        }),
        ("reader", "database", "192.0.2.7", {
            **common, "source": "pgaudit session", "outcome": "done", "line": 5, "command": "GRANT ROLE",
            "statement": "2.1", "query": "grant a to b", "application_name": "psql", "summary": "GRANT ROLE",
        }),
    ]  # fmt: skip


def test_severity_in_another_language_is_understood(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    message = "keine Berechtigung für Tabelle customer"
    denied = {**DENIED, "error_severity": "FEHLER", "dbname": conn.info.dbname}
    (tmp_path / "pg.json").write_bytes(as_json([line(1, message, **denied)]))
    auditctl("import-log", tmp_path, check=0)
    assert activities(conn) == [("reader", "auditctl.refusal", None, "refused", message)]


def test_name_of_any_length_and_shape_is_imported(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    name = "x\n\0'\"" + "ü" * 10_000
    (tmp_path / "pg.json").write_bytes(as_json([line(1, f'role "{name}" does not exist', **FAILED, user=name)]))
    auditctl("import-log", tmp_path, check=0)
    ((login, _, _, outcome, summary),) = activities(conn)
    assert (login[:3], len(login), outcome, len(summary)) == ("x\n\ufffd", 200, "failed", 1000)


def test_forged_line_of_pgaudit_about_roles_is_left_out(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    message = "AUDIT: SESSION,1,1,ROLE,GRANT ROLE,,,grant a to b,<not logged>"
    forged = line(1, message, dbname=conn.info.dbname, statement="do $$ begin raise log 'AUDIT: ...'; end $$")
    (tmp_path / "pg.json").write_bytes(as_json([forged]))
    assert "1 forged line left out: pg.json:1" in auditctl("import-log", tmp_path, check=3).err
    assert activities(conn) == []
