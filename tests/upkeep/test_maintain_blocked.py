"""What somebody keeps open while upkeep runs: expired events are deleted, and a busy partition is skipped."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.actions import Action
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.retaining import fill, hold, keep, months, partitions, recorded

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

GUARDS: LiteralString = """
    select tgname::text, tgenabled::text from pg_trigger where tgrelid = 'auditctl.event_2020_01'::regclass order by 1
"""


@pytest.fixture
def anybody(db: str, conn: psycopg.Connection, login: MakeLogin) -> Login:
    """A login without any role, that may write to an audited table whose reads are audited too."""
    conn.execute("create table note (id int primary key generated always as identity)")
    conn.execute("grant select, insert on note to public")
    audit(db, "note", actions=(Action.CREATE, Action.READ))
    months(conn, "2020-01-01", "2020-02-01")
    for month in ("2020-01", "2020-02"):
        fill(conn, f"{month}-10", "billing.customer")
    fill(conn, "2020-01-11", "billing.invoice", 2)
    keep(conn, "*", "400 days")
    return login("anybody")


KEPT_OPEN: dict[str, tuple[LiteralString, ...]] = {
    "a write": ("begin", "insert into note default values"),
    "a read": ("begin", "select from note"),
    "a recorded read of nothing": ("begin", "select auditctl.record_read('note')"),
    "a prepared write": ("begin", "insert into note default values", "prepare transaction 'asleep'"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kept", KEPT_OPEN)
def test_what_any_login_keeps_open_does_not_keep_expired_events(
    db: str, conn: psycopg.Connection, anybody: Login, auditctl: RunAuditctl, kept: str
) -> None:
    conn.execute("insert into note default values")
    hold(conn, "billing.invoice")
    wanted = recorded(conn, "e.target = 'billing.invoice'")
    with connect(anybody.dsn) as session:
        for statement in KEPT_OPEN[kept]:
            session.execute(statement)
        done = auditctl("maintain", "--format", "json", check=0)
        holder = "prepared transaction 'asleep'" if "prepare" in kept else r"process \d+"
        steps = {step["partition"]: step for step in json.loads(done.out)}
        for name, dropped, left in (("auditctl.event_2020_01", 10, 2), ("auditctl.event_2020_02", 10, 0)):
            assert (steps[name]["dropped"], steps[name]["kept"]) == (dropped, left)
            assert re.fullmatch(rf"the log is in use .*\({holder} of login {anybody.name}.*\)", steps[name]["remains"])
        assert done.err == "auditctl.event_2020_02: empty; its table remains while the log is in use.\n"
        assert recorded(conn, "e.target ~ '^billing'") == wanted
        session.execute("rollback prepared 'asleep'" if "prepare" in kept else "rollback")
    assert conn.execute(GUARDS).fetchall() == [("event_write_once_row", "A"), ("event_write_once_statement", "A")]
    assert auditctl("maintain", check=0).out == "auditctl.event_2020_02: 0 events deleted; the partition is gone.\n"
    assert {"event_2020_01", "event_2020_02"} & set(partitions(conn)) == {"event_2020_01"}
    assert recorded(conn, "e.target ~ '^billing'") == wanted


@pytest.mark.slow
def test_a_reader_of_the_log_neither_stops_the_deletion_nor_sees_half_of_it(
    db: str, conn: psycopg.Connection, anybody: Login, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    count: LiteralString = "select count(*) from auditctl.event where target ~ '^billing'"
    with connect(login("reader", roles=["auditctl_reader"]).dsn) as reader:
        reader.execute("begin isolation level repeatable read")
        assert reader.execute(count).fetchone() == (22,)
        auditctl("maintain", check=0)
        assert reader.execute(count).fetchone() == (22,)
        reader.execute("commit")
    assert conn.execute(count).fetchone() == (0,)


@pytest.mark.slow
def test_a_rename_that_is_not_committed_does_not_stop_the_deletion(
    db: str, conn: psycopg.Connection, anybody: Login, auditctl: RunAuditctl
) -> None:
    with connect(db) as owner:
        owner.execute("begin")
        owner.execute("alter table note rename to memo")
        assert "12 events deleted" in auditctl("maintain", check=0).out
        owner.execute("rollback")


@pytest.mark.slow  # waits for a lock that times out
def test_a_month_that_is_written_to_is_skipped_and_named_and_the_others_are_done(
    db: str, conn: psycopg.Connection, anybody: Login, auditctl: RunAuditctl
) -> None:
    with connect(db) as writer:
        writer.execute("begin")
        fill(writer, "2020-01-20", "billing.customer", 1)
        done = auditctl("maintain", check=5)
        assert (
            done.out
            == "auditctl.event_2020_02: 10 events deleted, 0 kept; its table remains, as "
            + done.out.partition("as ")[2]
        )
        assert re.fullmatch(
            r"error: auditctl.event_2020_01 is in use by a transaction that does not end \(process \d+ of login "
            r"postgres, transaction [\d/]+\)\nhint: Nothing was lost, nobody waits, and everything else is done\. .*\n",
            done.err.split("log is in use.\n")[-1],
        )
        assert conn.execute("select ran_at from auditctl.maintenance").fetchone() == (None,)
        with pytest.raises(psycopg.errors.LockNotAvailable, match="event_2020_01 is in use"):
            conn.execute("call auditctl.maintain()")
        writer.execute("commit")
    assert auditctl("maintain", check=0).out.startswith("auditctl.event_2020_01: 13 events deleted")


@pytest.mark.slow  # waits for a lock that times out
def test_a_reader_stops_the_move_out_of_the_default_partition_and_nothing_else(
    db: str, conn: psycopg.Connection, anybody: Login, auditctl: RunAuditctl
) -> None:
    fill(conn, "2001-02-03", "shop.order")
    conn.execute("drop table auditctl.event_2027_02")
    with connect(db) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from auditctl.event")
        done = auditctl("maintain", check=5)
        assert "error: the log is in use by a transaction that does not end (process " in done.err
        assert "12 events deleted" in done.out
        reader.execute("rollback")
    assert "10 events moved" in auditctl("maintain", check=0).out
