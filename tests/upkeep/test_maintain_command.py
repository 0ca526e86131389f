"""`auditctl maintain` and `auditctl hold`, as people type them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.retaining import fill, hold, keep, months, partitions, recorded

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


FOR_ADMINISTRATORS: tuple[LiteralString, ...] = (
    "select auditctl.place_hold('a.b', null, 'x')",
    "select auditctl.release_hold(1, 'x')",
    "select auditctl.set_retention('*', '1 day')",
    "call auditctl.maintain()",
    "select auditctl_internal.next_step()",
    "select auditctl_internal.expire_month('2020-01-01')",
)


def expired(conn: psycopg.Connection) -> None:
    """A month of which one event is held."""
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    keep(conn, "*", "400 days")
    hold(conn, "billing.customer", "3")


def test_dry_run_says_what_would_be_done_and_does_nothing(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    expired(conn)
    fill(conn, "2001-02-03", "shop.order")
    before = partitions(conn), recorded(conn)
    assert json.loads(auditctl("maintain", "--dry-run", "--format", "json", check=0).out) == [
        {
            "step": "move", "partition": "auditctl.event_default", "dropped": 0, "kept": 10,
            "reason": "It holds events of 2001-02.",
        },
        {
            "step": "expire", "partition": "auditctl.event_2020_01", "dropped": 9, "kept": 1,
            "reason": "Some of its events have expired; the others stay.",
        },
    ]  # fmt: skip
    assert (partitions(conn), recorded(conn)) == before


def test_an_administrator_maintains_and_every_step_is_recorded(
    db: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    expired(conn)
    admin = login("admin", roles=["auditctl_admin"])
    done = auditctl("maintain", dsn=admin.dsn, check=0)
    assert (done.out, done.err) == ("auditctl.event_2020_01: 9 events deleted, 1 kept.\n", "")
    ((actor, target_id, data),) = conn.execute(
        "select actor, target_id, new_values from auditctl.event where target = 'auditctl.partition'"
    ).fetchall()
    assert (actor, target_id) == (admin.name, "auditctl.event_2020_01")
    assert {name: data[name] for name in ("dropped", "kept", "before", "after")} == {
        "dropped": 9, "kept": 1, "before": {"CREATE": 10}, "after": {"CREATE": 1},
    }  # fmt: skip
    again = auditctl("maintain", "--format", "json", dsn=admin.dsn, check=0)
    assert (again.out, again.err) == ("[]\n", "Nothing to do.\n")


def test_a_reader_and_an_application_cannot_maintain_or_hold(login: MakeLogin, auditctl: RunAuditctl) -> None:
    for role in ("auditctl_reader", "auditctl_app"):
        other = login("other", roles=[role])
        denied = auditctl("maintain", dsn=other.dsn, check=5)
        assert denied.err == (
            "error: permission denied for function maintain_step\n"
            f"hint: Ask the DBA for: auditctl grant admin {other.name}\n"
        )
        for statement in FOR_ADMINISTRATORS:
            with connect(other.dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)


def test_the_procedure_does_all_steps_and_commits_each(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    expired(conn)
    fill(conn, "2001-02-03", "shop.order")
    admin = login("admin", roles=["auditctl_admin"])
    with connect(admin.dsn) as session:
        session.execute("call auditctl.maintain()")
    assert conn.execute(
        "select target_id from auditctl.event where target = 'auditctl.partition' order by event_id"
    ).fetchall() == [("auditctl.event_default",)] * 2 + [("auditctl.event_2001_02",), ("auditctl.event_2020_01",)]
    assert len(recorded(conn)) == 1


def test_a_hold_is_placed_listed_and_released_and_all_of_it_is_recorded(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    fill(conn, "2026-01-10", "billing.customer")
    admin = login("admin", roles=["auditctl_admin"])
    placed = auditctl("hold", "add", "billing.customer", "--id", "7", "--reason", "case 31", dsn=admin.dsn, check=0)
    assert placed.err == "Placed hold 1: it keeps 1 event now.\n"
    (held,) = json.loads(auditctl("hold", "list", "--format", "json", check=0).out)
    assert (held["hold_id"], held["target"], held["target_id"], held["reason"], held["placed_by"]) == (
        1, "billing.customer", "7", "case 31", admin.name,
    )  # fmt: skip
    assert auditctl("hold", "release", "1", "--reason", "closed", dsn=admin.dsn, check=0).err == "Released hold 1.\n"
    assert auditctl("hold", "list", check=0).err == "There are no holds.\n"
    assert auditctl("hold", "release", "1", "--reason", "closed", dsn=admin.dsn, check=5).err == (
        "error: there is no hold 1 in force\nhint: List the holds with: auditctl hold list\n"
    )
    assert conn.execute("""
        select action::text, actor, target_id, new_values ->> 'release_reason' from auditctl.event
         where target = 'auditctl.hold' order by event_id
    """).fetchall() == [("CREATE", admin.name, "1", None), ("UPDATE", admin.name, "1", "closed")]


def test_a_hold_on_what_the_log_does_not_know_is_refused(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    fill(conn, "2026-01-10", "billing.customer")
    for unknown in ("billing.custmer", "nowhere.*"):
        assert "the log knows no table" in auditctl("hold", "add", unknown, "--reason", "x", check=2).err
    auditctl("hold", "add", "billing.*", "--reason", "x", check=0)
    assert conn.execute("select target, target_id from auditctl.hold").fetchall() == [("billing.*", None)]


def test_what_looks_for_held_events_is_not_compiled(conn: psycopg.Connection) -> None:
    """Compiling took 9 s for each hold and month, so that `maintain --dry-run` did not end."""
    found = conn.execute(
        "select proname, 'jit=off' = any(proconfig) from pg_proc where pronamespace::regnamespace::text ^@ 'auditctl' "
        "and proname in ('history', 'do_step', 'maintenance_due') order by proname"
    ).fetchall()
    assert found == [("do_step", True), ("history", True), ("maintenance_due", True)]


@pytest.mark.parametrize("words", [("add", ""), ("add", "a.b"), ("release", "1")])
def test_an_empty_argument_of_hold_is_a_mistake_of_usage(
    conn: psycopg.Connection, auditctl: RunAuditctl, words: tuple[str, ...]
) -> None:
    fill(conn, "2020-01-10", "a.b")
    reason = " " if words in {("add", "a.b"), ("release", "1")} else "x"
    said = auditctl("hold", *words, "--reason", reason, check=2)
    assert f" {'is empty' if reason == 'x' else 'has no visible character'}\nhint: " in said.err
    assert conn.execute("select count(*) from auditctl.hold").fetchone() == (0,)
