"""doctor finds events that hold in the clear what a rule hid when they were written, and no others."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, LiteralString

import pytest
from psycopg.types.json import Jsonb

from auditctl import database
from auditctl.capture import apply
from auditctl.doctor import clear_values
from auditctl.doctor.examine import examine
from auditctl.doctor.model import Finding, Severity
from auditctl.errors import DatabaseError
from tests.support.capturing import audit, rule
from tests.support.doctoring import found

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

MASKED = {"$masked": True}

LEAK: LiteralString = """
    insert into auditctl.event (actor, actor_kind, target, target_id, action, old_values, new_values, context)
    values ('x', 'database', %s, %s, %s, %s, %s, %s)
"""
"""Writes an event as capture with another rule would have done."""


def leak(
    conn: psycopg.Connection, target: str = "public.c", key: str | None = "1", action: str = "CREATE", **values: Any
) -> None:
    """Write an event of a row with these values; `old` and `context` are those of an update."""
    old, context = values.pop("old", None), values.pop("context", None)
    documents = [None if value is None else Jsonb(value) for value in (old, values or None, context)]
    conn.execute(LEAK, [target, key, action, *documents])


def clear(dsn: str) -> list[tuple[str, int, list[str]]]:
    """What is found: target, number of events and columns."""
    with database.connect(dsn) as conn:
        return [(row.target, row.events, list(row.columns)) for row in clear_values.read(conn).targets]


@pytest.fixture
def card(db: str, conn: psycopg.Connection) -> None:
    """An audited table with hidden columns, and an event of it."""
    conn.execute("create table c (id integer primary key, card text, x text, v text)")
    audit(db, "c", mask=("card",), exclude=("x",))
    conn.execute("insert into c values (1, 'p', 'q', 'r'); update c set card = 'o', x = 's'; delete from c")


@pytest.mark.usefixtures("card")
def test_events_that_show_a_hidden_value_are_found_with_their_number(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    assert clear(db) == []
    leak(conn, id=1, card="4111", v="r")
    leak(conn, action="UPDATE", old={"card": "4111"}, card=MASKED)
    leak(conn, action="UPDATE", old={"v": "a"}, v="b")
    leak(conn, action="DELETE", old={"id": 1, "card": MASKED, "x": None})
    leak(conn, "public.other", card="4111")
    leak(conn, action="EVENT", card="4111")
    assert clear(db) == [("public.c", 3, ["card", "x"])]
    with database.connect(db) as session:
        (row,) = clear_values.read(session).targets
    since, until = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" for at in (row.since, row.until))
    assert [finding for finding in found(db) if finding.check == "event_clear"] == [
        Finding(
            Severity.WARNING, "event_clear", "public.c",
            f"3 events of public.c from {since} to {until} (UTC) hold card, x in the clear, for every reader of the "
            "log, although the rule of that time hid it.",
            "As an administrator, erase them (auditctl erase --event EVENT_ID --column COL --reason TEXT), or set a "
            "shorter retention time for public.c. Until then limit who reads the log: auditctl revoke reader LOGIN",
        )
    ]  # fmt: skip
    assert "event_clear" in auditctl("doctor", check=3).out


@pytest.mark.usefixtures("card")
def test_what_was_written_before_a_rule_hid_it_or_after_it_no_longer_did_is_no_finding(
    db: str, conn: psycopg.Connection
) -> None:
    audit(db, "c")
    leak(conn, card="4111", x="hush")
    audit(db, "c", mask=("v",))
    conn.execute("insert into c values (2, 'p', 'q', 'r')")
    assert clear(db) == []
    leak(conn, card="4111", x="hush", v="r")
    assert clear(db) == [("public.c", 1, ["v"])]


def test_the_rules_of_globs_and_of_renamed_tables_and_columns_count_too(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table c (id integer primary key, card text); create table d (like c including all)")
    audit(db, "public.*", mask=("card",))
    audit(db, "d", mask=())
    leak(conn, card="4111")
    leak(conn, "public.d", card="4111")
    conn.execute("alter table c rename card to pan; alter table c rename to e")
    conn.execute("insert into e values (1, '4111'); insert into d values (1, '4111')")
    assert clear(db) == [("public.c", 1, ["card"])]
    leak(conn, "public.e", pan="4111")
    assert clear(db) == [("public.c", 1, ["card"]), ("public.e", 1, ["pan"])]


def test_keys_that_show_a_hidden_column_are_found(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table c (id integer primary key, card text not null, v text)")
    audit(db, "c", mask=("card",))
    leak(conn, key="7", id=7, card=MASKED)
    conn.execute("alter table c drop constraint c_pkey; alter table c add primary key (card, id)")
    conn.execute("insert into c values (1, '4111', 'a'); update c set card = '4222'; update c set v = 'b'")
    assert clear(db) == []
    leak(conn, key='["4111", 7]', id=7, card=MASKED)
    hidden = '["hidden:' + "0" * 32 + '", 7]'
    leak(
        conn,
        key=hidden,
        action="UPDATE",
        old={"card": MASKED},
        card=MASKED,
        context={"previous_target_id": '["41", 7]'},
    )
    assert clear(db) == [("public.c", 2, ["card"])]


@pytest.mark.usefixtures("card")
def test_a_large_log_is_searched_from_its_end_and_the_rest_is_named(db: str, conn: psycopg.Connection) -> None:
    leak(conn, card="4111")
    conn.execute("insert into c select g, 'p', 'q', 'r' from generate_series(1, 5) as g")
    with database.connect(db) as session:
        part, whole = clear_values.read(session, 3), clear_values.read(session, None)
        (unseen,) = (reason for check, reason in examine(session, limit=3).unseen if check.startswith("event_clear"))
    assert (part.targets, whole.examined_since) == ((), None)
    assert part.examined_since is not None
    assert [(row.target, row.events) for row in whole.targets] == [("public.c", 1)]
    assert f"those before {part.examined_since.astimezone(UTC):%Y-%m-%d %H:%M}" in unseen


@pytest.mark.usefixtures("card")
def test_a_rule_that_hides_more_waits_for_transactions_that_wrote_with_the_one_before(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("begin; insert into c values (2, 'p', 'q', 'r')")
    hiding = rule("c", mask=("card", "v"), exclude=("x",))
    with database.connect(db) as session:
        with pytest.raises(DatabaseError, match="lock"):
            apply.enable(session, hiding, lock_timeout="50ms")
        conn.execute("commit")
        apply.enable(session, hiding)
    conn.execute("insert into c values (3, 'p', 'q', 'r')")
    assert clear(db) == []
