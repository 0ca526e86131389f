"""A plan shows the database as it is at one moment, also while somebody else creates, renames and drops tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import pytest

from auditctl import database
from auditctl.capture import apply as capture_apply
from auditctl.capture import catalog, table_status
from auditctl.database import Connection
from tests.fixtures.databases import connect
from tests.support.capturing import audit, lines

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.slow

DDL: tuple[LiteralString, ...] = (
    "create table s.new (id int primary key)",
    "alter table s.old rename to older",
    "drop table s.old",
    "alter table s.old add column v text",
)


@pytest.mark.parametrize("ddl", DDL)
@pytest.mark.parametrize("step", ["_functions", "_read_details", "read_triggers"])
def test_a_plan_made_beside_ddl_shows_no_difference(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, step: str, ddl: LiteralString
) -> None:
    conn.execute("create schema s; create table s.old (id int primary key)")
    audit(db, "s.*", on_drop="record")
    read = getattr(catalog, step)

    def meanwhile(session: Connection, *args: Any, **options: Any) -> Any:
        monkeypatch.setattr(catalog, step, read)
        with connect(db) as other:
            other.execute(ddl)
        return read(session, *args, **options)

    monkeypatch.setattr(catalog, step, meanwhile)
    with database.connect(db) as session:
        planned, misfit = capture_apply.check(session)
        assert (lines(planned), misfit) == ([], None)
        assert lines(capture_apply.check(session)[0]) == []
    monkeypatch.setattr(catalog, step, meanwhile)
    conn.execute("drop schema s cascade; create schema s; create table s.old (id int primary key)")
    with database.connect(db) as session:
        assert {row.state for row in table_status.read(session)} == {"ok"}
