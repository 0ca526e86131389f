"""What an administrator gone astray, a clone and a session's settings cannot make of holds, retention and imports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from auditctl import durations
from auditctl.errors import UsageError
from tests.fixtures.databases import connect
from tests.support.reading import READS, SALARY, audit_reads
from tests.support.retaining import fill, hold, keep, months
from tests.support.server_log import SIGNED, as_json, imported, line, set_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

READ: dict[str, Any] = {
    "key": "k", "at": "2026-11-24T08:00:00Z", "already_recorded": False,
    "login": "ada", "host": None, "target": "shop.customer",
}  # fmt: skip


@pytest.mark.parametrize("zone", ["<UTC>-167", "<UTC>+167", "Asia/Kolkata"])
def test_a_sessions_zone_and_style_move_no_hold(db: str, conn: psycopg.Connection, login: MakeLogin, zone: str) -> None:
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01-31", "shop.customer", 23)
    fill(conn, "2020-02-01", "shop.customer", 3)
    for number in (1, 23):
        hold(conn, "shop.customer", str(number))
    keep(conn, "*", "400 days")
    admin = login("mallory", roles=["auditctl_admin"])
    with connect(admin.dsn) as session:
        session.execute("set datestyle = 'SQL, DMY'")
        session.execute("select set_config('timezone', %s, false)", [zone])
        while session.execute("select auditctl.maintain_step()").fetchone() != (None,):
            pass
    query = "select target_id from auditctl.event where target = 'shop.customer' order by occurred_at"
    kept = conn.execute(query).fetchall()
    assert kept == [("1",), ("23",), ("1",)]


@pytest.mark.parametrize("context", [{}, {"context": None}, {"context": []}, {"context": ["x"]}, {"context": {}}])
def test_an_imported_read_always_names_who_imported_it(
    db: str, conn: psycopg.Connection, login: MakeLogin, context: dict[str, Any]
) -> None:
    admin = login("mallory", roles=["auditctl_admin"])
    with connect(admin.dsn) as session:
        session.execute("select auditctl.import_reads(%s)", [Jsonb([{**READ, **context}])])
    assert conn.execute("select context from auditctl.event where action = 'READ'").fetchall() == [
        ({"imported_by": admin.name},)
    ]


def test_reads_are_imported_by_what_is_committed_alone(db: str, conn: psycopg.Connection) -> None:
    conn.execute("begin isolation level repeatable read")
    for call in ("import_reads('[]')", "import_own_reads('[]')", "import_activities('[]')", "settle_reads()"):
        with pytest.raises(psycopg.errors.FeatureNotSupported), conn.transaction():
            conn.execute(f"select auditctl.{call}".encode())
    conn.execute("rollback")


def test_no_line_of_auditctls_own_is_claimed_as_another(db: str, conn: psycopg.Connection) -> None:
    claimed = conn.execute(
        "select * from auditctl.import_reads(%s)", [Jsonb([{**READ, "key": "auditctl 00", "already_recorded": True}])]
    ).fetchall()
    assert dict(claimed) == {"made": 0, "recorded": 0, "expired": 1}
    assert conn.execute("select count(*) from auditctl.read_line").fetchone() == (0,)


def test_nobody_makes_a_read_look_imported(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute(SALARY)
    audit_reads(db, "public.salary")
    claim = {"imported_by": "bob", "imported_from": "x", "rolled_back": True, "reason": "y"}
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        session.execute("select auditctl.set_context('alice', null, %s, null, false)", [Jsonb(claim)])
        session.execute("select * from public.salary")
    assert [row[-1] for row in conn.execute(READS).fetchall()] == [{"reason": "y"}]


def test_a_time_too_long_to_count_is_refused(conn: psycopg.Connection) -> None:
    for text in ("9999 years", "999999 weeks"):
        with pytest.raises(UsageError):
            durations.parse_keep(text)
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            conn.execute("select auditctl.set_retention('*', %s)", [text])
    conn.execute("select auditctl.set_retention('*', '5000 years'), auditctl.maintain_step()")


def test_the_time_to_notice_begins_when_it_is_stated(conn: psycopg.Connection) -> None:
    number = hold(conn, "shop.customer")
    keep(conn, "*", "3 years")
    with conn.transaction():
        (before,) = conn.execute("select clock_timestamp() from pg_sleep(0.01)").fetchone() or (None,)
        conn.execute("select auditctl.release_hold(%s, 'over'), auditctl.set_retention('*', '2 years')", [number])
        ended = conn.execute(
            "select released_at from auditctl.hold "
            "union all select until from auditctl.retention where until is not null and keep is not null"
        ).fetchall()
    assert len(ended) == 2
    assert all(at > before for (at,) in ended)


def test_a_read_in_a_clone_is_none_here(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    set_up(db)
    told = {
        "v": 1, "target": "shop.customer", "actor": "ada", "actor_kind": "database", "ip": None, "db_user": "ada",
        "xact_id": None, "at": "2026-11-24T08:00:00Z", "recorded": False, "event_id": None, "leaf": None,
    }  # fmt: skip
    row = conn.execute(SIGNED, [json.dumps(told)]).fetchone()
    assert row is not None
    file = tmp_path / "pg.json"
    message = f"auditctl read: {row[0]}"
    file.write_bytes(as_json([line(1, message, dbname="clone", context="c", statement="s")]))
    auditctl("import-log", file, check=0)
    assert imported(conn) == []
