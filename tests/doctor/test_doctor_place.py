"""What `doctor` finds about a store that is not where it was installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect
from tests.support.doctoring import carry_out, found

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

DISPLACED = [
    ("update auditctl.place set written_at = now()", "was restored from a dump"),
    ("update auditctl.place set relation = 1, written_in = pg_current_xact_id()::xid", "was restored from a dump"),
    ("update auditctl.place set database = 1, written_in = pg_current_xact_id()::xid", "is a copy of another database"),
    ("delete from auditctl.place", "was restored without its rows"),
    ("insert into auditctl.place select * from auditctl.place", "was restored from a dump"),
]


@pytest.mark.parametrize(("broken", "phrase"), DISPLACED)
def test_a_store_out_of_its_place_is_found_until_it_is_adopted(
    db: str, auditctl: RunAuditctl, broken: str, phrase: str
) -> None:
    before = found(db)
    with connect(db) as conn:
        conn.execute(broken.encode())
        (inside,) = conn.execute("select auditctl_internal.displacement()").fetchone() or ("",)
    assert inside == phrase
    assert found(db) == [
        Finding(
            Severity.CRITICAL,
            "place",
            f"database {conninfo_to_dict(db)['dbname']}",
            f"Capture, the guard and the log's roles may not fit this database: the store {phrase}; no other check was "
            "made.",
            "auditctl adopt",
        )
    ]
    carry_out("auditctl adopt", db, auditctl)
    assert found(db) == before


def test_a_store_that_pg_upgrade_moved_is_in_its_place(db: str, auditctl: RunAuditctl) -> None:
    """It preserves object ids and rows as they are; the cluster has another identifier."""
    with connect(db) as conn:
        conn.execute("update auditctl.place set system_identifier = 1, written_in = pg_current_xact_id()::xid")
        assert [finding.check for finding in found(db) if finding.check == "place"] == []
        auditctl("install", dsn=db, check=0)
        assert conn.execute(
            "select p.system_identifier = c.system_identifier from auditctl.place as p, pg_control_system() as c"
        ).fetchone() == (True,)
