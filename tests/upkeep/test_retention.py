"""How long events are kept: stated in a file or by an administrator, and a shorter time only after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl import durations
from auditctl.capture.config import document
from auditctl.errors import UsageError
from auditctl.retention.times import Retention
from tests.fixtures.databases import connect
from tests.support.recorded import KEY_CHANGE
from tests.support.retaining import LONG_AGO, fill, hold, keep, months, partitions, recorded, upkeep

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

FILE = """
[retention]
keep = "400 days"
[[retention.target]]
name = "order.*"
keep = "10 years"
[[table]]
name = "public.plain"
keep = "forever"
"""


@pytest.mark.parametrize(
    ("text", "stored"),
    [("400 days", "400 days"), ("1 day", "1 day"), ("007 YEARS", "7 years"), ("1 weeks", "1 week"), ("forever", None)],
)
def test_times_are_read(text: str, stored: str | None) -> None:
    assert durations.parse_keep(text) == stored


@pytest.mark.parametrize(
    "text", ["", "400", "0 days", "-1 day", "1.5 years", "24 hours", "1 day 2 days", "9999999 days"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        durations.parse_keep(text)
    assert refused.value.hint


def test_the_file_says_how_long_events_are_kept_and_is_printed_as_it_was_written(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    conn.execute("create table plain (id integer primary key)")
    file = tmp_path / "audit.toml"
    file.write_text(FILE)
    assert document.load(FILE, "x").retention == Retention("400 days", {"order.*": "10 years", "public.plain": None})
    assert auditctl("plan", file, check=0).out.splitlines()[-3:] == [
        "RETAIN  every event: keep 400 days, instead of forever.",
        "RETAIN  order.*: keep 10 years, instead of as every event.",
        "RETAIN  public.plain: keep forever, instead of as every event.",
    ]
    assert auditctl("check", file).code == 3
    auditctl("apply", "--yes", file, check=0)
    auditctl("check", file, check=0)
    file.write_text(auditctl("config", check=0).out)
    assert auditctl("plan", file, check=0).err == "Nothing to do: the database matches the rules.\n"
    assert document.load(file.read_text(), "x").retention == document.load(FILE, "x").retention
    assert conn.execute(
        "select action::text, target_id, new_values ->> 'keep' from auditctl.event where target = 'auditctl.retention' "
        "order by event_id"
    ).fetchall() == [
        ("UPDATE", "*", None),
        ("CREATE", "*", "400 days"),
        ("CREATE", "order.*", "10 years"),
        ("CREATE", "public.plain", None),
    ]


def test_a_file_that_says_nothing_of_it_leaves_it_as_it_is(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    keep(conn, "*", "400 days", noticed=False)
    assert auditctl("plan", "-", input="table = []", check=0).err == (
        "Nothing to do: the database matches the rules.\n"
    )
    said = auditctl("plan", "-", input='table = []\n[retention]\nkeep = "forever"', check=0).out
    assert said == "RETAIN  every event: keep forever, instead of 400 days.\n"


def test_mistakes_in_the_file_are_reported_together() -> None:
    text = """
        [retention]
        keep = "0 days"
        kep = 1
        [[retention.target]]
        keep = "1 year"
        [[retention.target]]
        name = "*"
        [[retention.target]]
        name = "order.placed"
        [[table]]
        name = "a.b"
        keep = 400
    """
    places = [problem.split(": ")[1] for problem in document.load(text, "x").problems]
    assert places == [
        "retention.kep", "retention.keep", "retention.target[0].name", "retention.target[1].name",
        "retention.target[2].keep", "table[0].keep",
    ]  # fmt: skip


def test_a_time_that_has_no_effect_is_said_and_printed_as_it_is(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    keep(conn, "*", "400 days")
    keep(conn, "order.placed", "5 days")
    file = auditctl("config", check=0).out
    assert auditctl("plan", "-", input=file, check=0).err == (
        "warning: order.placed: 5 days is shorter than [retention] keep, 400 days, which counts\n"
        "Nothing to do: the database matches the rules.\n"
    )


def test_a_plan_warns_of_a_time_for_a_label_which_no_event_has_as_its_target(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table plain (id integer primary key)")
    file = """
        [retention]
        keep = "1 year"
        [[retention.target]]
        name = "customer"
        keep = "10 years"
        [[retention.target]]
        name = "public.*"
        keep = "10 years"
        [[table]]
        name = "public.plain"
        label = "Customer"
    """
    said = auditctl("plan", "-", input=file, check=0).err
    assert "warning: customer: is the label of public.plain, whose events this time does not keep\n" in said
    assert said.count("whose events") == 1


def test_a_plan_says_what_a_shorter_time_would_delete(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    months(conn, "2020-01-01", "2020-03-01")
    fill(conn, "2020-02-10", "billing.customer", 7)
    said = auditctl("plan", "-", input='table = []\n[retention]\nkeep = "2 years"\n', check=0).out
    assert said == (
        "RETAIN  every event: keep 2 years, instead of forever.\n"
        "This shortens how long events are kept: 7 days after a run of maintain has first seen it, maintain deletes "
        "from 3 months with about 7 events, the oldest of 2020-01-01, what is neither kept longer nor held.\n"
    )


def test_a_shorter_time_has_no_effect_before_others_could_notice(db: str, conn: psycopg.Connection) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    keep(conn, "*", "1 day", noticed=False)
    assert [step["step"] for step in upkeep(db)] == ["notice"]
    assert upkeep(db) == []
    conn.execute(LONG_AGO)
    assert [step["partition"] for step in upkeep(db)] == ["auditctl.event_2020_01"]


def test_a_released_hold_and_a_withdrawn_time_have_no_effect_before_others_could_notice(
    db: str, conn: psycopg.Connection
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer", 3)
    fill(conn, "2020-01-10", "billing.invoice", 4)
    keep(conn, "billing.invoice", "forever")
    number = hold(conn, "billing.customer")
    keep(conn, "*", "1 day")
    everything = recorded(conn)
    conn.execute("select auditctl.release_hold(%s, 'closed')", [number])
    keep(conn, "billing.invoice", None, noticed=False)
    assert [step["step"] for step in upkeep(db)] == ["notice"]
    assert upkeep(db) == []
    assert recorded(conn) == everything
    conn.execute(LONG_AGO)
    assert [step["dropped"] for step in upkeep(db)] == [7]


def test_what_was_stated_cannot_be_rewritten(conn: psycopg.Connection, login: MakeLogin) -> None:
    keep(conn, "*", "2 years", noticed=False)
    hold(conn, "billing.*")
    for statement in (
        "update auditctl.retention set since = since - interval '1 year'",
        "update auditctl.retention set keep = '1 day'",
        "delete from auditctl.retention",
        "truncate auditctl.retention",
        "update auditctl.hold set target = 'nothing'",
        "delete from auditctl.hold",
        "truncate auditctl.hold",
        "set session_replication_role = replica; delete from auditctl.retention",
    ):
        with pytest.raises(psycopg.DatabaseError) as refused, conn.transaction():
            conn.execute(statement.encode())
        assert refused.value.sqlstate == "UA001", statement
    conn.execute("update auditctl.retention set until = '2001-01-01' where until is null")
    assert conn.execute(
        "select count(*) from auditctl.retention where until < now() - interval '1 hour'"
    ).fetchone() == (0,)
    admin = login("admin", roles=["auditctl_admin"])
    with connect(admin.dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("update auditctl.retention set until = now()")


def test_events_of_auditctl_itself_are_kept_as_long_as_any(db: str, conn: psycopg.Connection) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    fill(conn, "2020-01-10", "auditctl.rule", 2)
    keep(conn, "some.thing", "50 years")
    keep(conn, "*", "1 day")
    assert [(step["dropped"], step["kept"]) for step in upkeep(db)] == [(10, 2)]
    keep(conn, "some.thing", None)
    assert [(step["dropped"], step["kept"]) for step in upkeep(db)] == [(2, 0)]
    assert "event_2020_01" not in partitions(conn)


def test_a_time_and_a_hold_follow_a_renamed_table_and_a_changed_key(db: str, conn: psycopg.Connection) -> None:
    months(conn, "2020-01-01", "2020-02-01")
    for at, target, key, before, action in (
        ("2020-01-10", "shop.old", "1", None, "CREATE"),
        ("2020-01-11", "shop.old", "2", "1", "UPDATE"),
        ("2020-01-12", "shop.old", "9", None, "CREATE"),
        ("2020-02-10", "shop.new", "3", "2", "UPDATE"),
        ("2020-02-11", "shop.new", "8", None, "CREATE"),
        ("2020-02-12", "kept.new", "1", None, "CREATE"),
        ("2020-01-12", "kept.old", "1", None, "CREATE"),
    ):
        conn.execute(
            "insert into auditctl.event (occurred_at, actor_kind, target, target_id, action, context) "
            "values (%s::timestamptz, 'system', %s, %s, %s, "
            "jsonb_strip_nulls(jsonb_build_object('previous_target_id', %s::text)))",
            [f"{at} 00:00+00", target, key, action, before],
        )
    conn.execute(KEY_CHANGE, [[number for (number,) in conn.execute("select event_id from auditctl.event").fetchall()]])
    conn.execute(
        "insert into auditctl.rename values ('2020-02-01', 'shop.old', 'shop.new'), ('2020-02-01', "
        "'kept.old', 'kept.new')"
    )
    conn.execute("insert into auditctl.target (target) values ('shop.new'), ('shop.old')")
    keep(conn, "*", "1 year")
    keep(conn, "kept.new", "100 years")
    hold(conn, "shop.new", "3")
    upkeep(db)
    left = conn.execute(
        "select target, target_id from auditctl.event where target ~ '^(shop|kept)' order by event_id"
    ).fetchall()
    assert left == [("shop.old", "1"), ("shop.old", "2"), ("shop.new", "3"), ("kept.new", "1"), ("kept.old", "1")]


PLAIN_BACKSLASHES: LiteralString = "set standard_conforming_strings = off; set escape_string_warning = off"


def test_a_glob_keeps_events_whatever_a_backslash_means_to_the_session_of_upkeep(
    db: str, conn: psycopg.Connection
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    for target in ("billing.customer", "shop.item", "other.thing"):
        fill(conn, "2020-01-10", target, 2)
    keep(conn, "*", "1 year")
    keep(conn, "shop.*", "100 years")
    hold(conn, "billing.*")
    with connect(db) as session:
        session.execute(PLAIN_BACKSLASHES)
        while session.execute("select auditctl.maintain_step()").fetchone() != (None,):
            pass
    left = conn.execute("select distinct target from auditctl.event where target !~ '^auditctl' order by 1").fetchall()
    assert left == [("billing.customer",), ("shop.item",)]


@pytest.mark.parametrize(
    "call",
    [
        "select auditctl.target_pattern('a.b(c)+{}^$|*?[!x]'), auditctl.target_pattern('a.[b')",
        "select name from auditctl.deciding_type('app.log_in')",
        "select auditctl.place_hold('a.b', null, 'oh') is null",
    ],
)
def test_functions_mean_the_same_whatever_a_backslash_means_to_the_session(
    db: str, conn: psycopg.Connection, call: LiteralString
) -> None:
    conn.execute("insert into auditctl.event_type (name) values ('app.*'), ('app.log_*'), ('app.log_*_and_again')")
    with connect(db) as session:
        session.execute(PLAIN_BACKSLASHES)
        assert session.execute(call).fetchall() == conn.execute(call).fetchall()
