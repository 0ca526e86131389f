"""`auditctl restore-archive`: a month comes back as it was, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import GUARD_OFF, connect
from tests.support.archiving import cold, fill, hot
from tests.support.retaining import fill as fill_late

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

WHOLE: LiteralString = "select (e.*)::text from auditctl.event as e where target not like 'auditctl.%' order by 1"
SHAPE: LiteralString = """
    select c.relname::text, c.relacl::text, c.relrowsecurity, pg_get_expr(c.relpartbound, c.oid),
           array(select i.indexrelid::regclass::text from pg_index as i where i.indrelid = c.oid order by 1),
           array(select (t.tgname, t.tgenabled)::text from pg_trigger as t where t.tgrelid = c.oid order by 1),
           obj_description(c.oid)
      from pg_class as c where c.oid = to_regclass('auditctl.event_2020_01')
"""
ODD: LiteralString = """
    insert into auditctl.event (
        occurred_at, xact_id, actor_kind, action, ip, target, target_id, old_values, new_values, context
    )
    values ('2020-01-05 00:00:00.000001+00', '7', 'system', 'UPDATE', '2001:db8::/32', 'it''s "odd"', '', '{"a": 1.00}',
            '{"a": 1E+2, "b": "\\u00e9 \\\\ \\"", "c": [null, {"d": 1.50}]}', '{"reason": ""}'),
           ('2020-01-05 00:00:00.000001+00', '18446744073709551610', 'database', 'EVENT', null, 'x', null, null,
            'null', null)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cold"


def test_a_month_comes_back_as_it_was(conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl) -> None:
    fill(conn, "2020-01", "2020-02")
    conn.execute(ODD)
    before, shape = conn.execute(WHOLE).fetchall(), conn.execute(SHAPE).fetchall()
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    assert hot(conn) == []
    restored = auditctl("restore-archive", "2020-01", "--reason", "case 7", check=0)
    assert restored.out == f"2020-01: 22 events restored from {folder}.\n"
    assert conn.execute(WHOLE).fetchall() == [row for row in before if "2020-01" in row[0]]
    assert conn.execute(SHAPE).fetchall() == shape
    assert conn.execute("""
        select new_values ->> 'rows', context ->> 'summary', context ->> 'reason' from auditctl.event
         where target = 'auditctl.archive' order by event_id desc limit 1
    """).fetchone() == ("22", "month restored", "case 7")
    assert "2020" not in auditctl("doctor").out
    # It stays until somebody says otherwise.
    auditctl("archive", check=0)
    assert auditctl("maintain", check=0).err == "Nothing to do.\n"
    assert len(hot(conn)) == 22
    assert auditctl("archive", "--include-restored", check=0).out == "2020-01: recorded; its files were complete.\n"
    auditctl("maintain", check=0)
    assert (hot(conn), len(cold(folder))) == ([], 42)
    auditctl("restore-archive", "2020-02", check=0)
    assert conn.execute(WHOLE).fetchall() == [row for row in before if "2020-02" in row[0]]


def test_events_that_came_later_stay_beside_those_that_come_back(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    fill_late(conn, "2020-01-20", "shop.late", 3)
    assert "Move them first: auditctl maintain" in auditctl("restore-archive", "2020-01", check=5).err
    auditctl("maintain", check=0)
    auditctl("restore-archive", "2020-01", check=0)
    assert len(hot(conn)) == 23
    assert auditctl("archive", "--include-restored", check=0).out.startswith("2020-01: 23 events")
    assert cold(folder) == hot(conn)


def test_nothing_is_restored_from_other_files_than_the_log_recorded(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    (part,) = folder.rglob("*.parquet")
    data = part.read_bytes()
    part.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    assert "part-0001.parquet is not as it was written" in auditctl("restore-archive", "2020-01", check=3).err
    part.write_bytes(data)
    manifest = part.with_name("_manifest.json")
    document = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps({**document, "rows": 19}))
    assert "was altered" in auditctl("restore-archive", "2020-01", check=3).err
    assert "none/database=" in auditctl("restore-archive", "2020-01", "--from", tmp_path / "none", check=1).err
    assert hot(conn) == []
    assert conn.execute("select to_regclass('auditctl.event_2020_01')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("month", "said"),
    [
        ("2020-03", "is not archived"),
        ("2020-02", "the log still has"),
        ("2020-01", "the log still has"),
        ("soon", "is not a month"),
    ],
)
def test_only_a_dropped_month_is_restored(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, month: str, said: str
) -> None:
    fill(conn, "2020-01", "2020-02")
    auditctl("archive", "--before", "2020-02", "--to", folder, check=0)
    auditctl("maintain", check=0)
    auditctl("restore-archive", "2020-01", check=0)
    auditctl("archive", "--to", folder, check=0)
    assert said in auditctl("restore-archive", month, check=2).err


def test_restoring_takes_the_rights_of_the_owner_and_under_the_guard_a_superuser(
    conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    admin = login("admin", roles=["auditctl_admin"])
    denied = auditctl("restore-archive", "2020-01", dsn=admin.dsn, check=5)
    assert denied.err.startswith(f"error: {admin.name} may not act as auditctl_owner\nhint: Use a superuser")
    owner = login("member", roles=["auditctl_owner", "auditctl_admin"])
    refused = auditctl("restore-archive", "2020-01", dsn=owner.dsn, check=5)
    assert refused.err.startswith("error: refused: auditctl.event_2020_01 is part of auditctl's store\n")
    conn.execute(GUARD_OFF)
    auditctl("restore-archive", "2020-01", dsn=owner.dsn, check=0)
    assert len(hot(conn)) == 20


def test_a_running_maintain_is_in_the_way(
    db: str, conn: psycopg.Connection, folder: Path, auditctl: RunAuditctl
) -> None:
    fill(conn, "2020-01")
    auditctl("archive", "--to", folder, check=0)
    auditctl("maintain", check=0)
    with connect(db) as other, other.transaction():
        other.execute("select from auditctl.maintenance for update")
        assert auditctl("restore-archive", "2020-01", check=5).err.startswith("error: auditctl maintain is running\n")
