"""The days in which others can notice that less is kept: they begin when others can see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.retaining import LONG_AGO, fill, hold, keep, months, recorded, upkeep

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

LATE: LiteralString = LONG_AGO.replace("noticed_at = until - interval '30 days'", "noticed_at = null").replace(
    "noticed_at = released_at - interval '30 days'", "noticed_at = null"
)
"""Makes everything that was stated older than the days of grace, as if its transaction had slept since."""

ENDS: dict[str, LiteralString] = {
    "shorter time": "select auditctl.set_retention('*', '1 day')",
    "time withdrawn": "select auditctl.set_retention('billing.*', null)",
    "hold released": "select auditctl.release_hold(1, 'closed')",
    "all at once": "select auditctl.set_retention('*', '1 day'), auditctl.set_retention('billing.*', null), "
    "auditctl.release_hold(1, 'closed')",
}


@pytest.fixture(params=ENDS)
def ending(conn: psycopg.Connection, request: pytest.FixtureRequest) -> LiteralString:
    """What lets events expire that are kept for one reason: a statement."""
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    if request.param in ("hold released", "all at once"):
        assert hold(conn, "billing.*") == 1
    if request.param in ("time withdrawn", "all at once"):
        keep(conn, "billing.*", "100 years")
    if request.param in ("hold released", "time withdrawn"):
        keep(conn, "*", "1 day")
    return ENDS[request.param]


@pytest.mark.parametrize("end", ["commit", "prepare transaction 'asleep'; commit prepared 'asleep'"])
def test_a_transaction_that_sleeps_does_not_sleep_through_the_days_of_grace(
    db: str, conn: psycopg.Connection, ending: LiteralString, end: LiteralString
) -> None:
    everything = recorded(conn)
    with connect(db) as sleeper:
        sleeper.execute("begin")
        sleeper.execute(ending)
        # Upkeep does not notice what its own transaction did: nobody else can see that.
        done = sleeper.execute("select auditctl.maintain_step()").fetchone()
        assert done is None or done[0] is None or done[0]["step"] != "notice"
        sleeper.execute(LATE)
        for statement in end.split("; "):
            sleeper.execute(statement.encode())
    assert [step["step"] for step in upkeep(db)] == ["notice"]
    assert upkeep(db) == []
    assert recorded(conn) == everything
    conn.execute(LONG_AGO)
    assert [step["step"] for step in upkeep(db)] == ["expire"]


def test_the_notice_is_shown_before_it_is_taken_and_recorded_with_it(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    keep(conn, "*", "400 days", noticed=False)
    assert "Retention of * is no longer forever." in auditctl("maintain", "--dry-run", check=0).out
    assert conn.execute("select count(noticed_at) from auditctl.retention").fetchone() == (0,)
    said = "Retention of * is no longer forever. What was in force before counts for 7 more days.\n"
    assert auditctl("maintain", check=0).out == said
    assert auditctl("maintain", check=0).err == "Nothing to do.\n"
    assert conn.execute(
        "select new_values ->> 'noticed_at' = (select to_jsonb(noticed_at) #>> '{}' from auditctl.retention "
        "where noticed_at is not null) from auditctl.event where target = 'auditctl.retention' order by event_id desc "
        "limit 1"
    ).fetchone() == (True,)


def test_a_notice_is_neither_back_dated_nor_taken_back(conn: psycopg.Connection) -> None:
    keep(conn, "*", "400 days", noticed=False)
    conn.execute("update auditctl.retention set noticed_at = '2001-01-01' where until is not null")
    assert conn.execute(
        "select noticed_at > now() - interval '1 hour' from auditctl.retention where until is not null"
    ).fetchone() == (True,)
    for statement in (
        "update auditctl.retention set noticed_at = now()",
        "update auditctl.retention set noticed_at = null where until is not null",
        "update auditctl.retention set ended_in = null where until is not null",
    ):
        with pytest.raises(psycopg.DatabaseError) as refused:
            conn.execute(statement.encode())
        assert refused.value.sqlstate == "UA001", statement
    with pytest.raises(psycopg.DatabaseError) as refused, conn.transaction():
        conn.execute("select auditctl.set_retention('*', '1 day')")
        conn.execute("update auditctl.retention set noticed_at = now() where until is not null and noticed_at is null")
    assert refused.value.sqlstate == "UA001"
