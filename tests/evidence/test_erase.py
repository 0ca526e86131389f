"""`auditctl erase`: the announced erasure alone changes an event, and exactly what it names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

ERASED = {"$erased": True}

VALUES: LiteralString = "select old_values, new_values, context from auditctl.event where event_id = %s"

REST: LiteralString = """
    select e.event_id, (to_jsonb(e) - %s::text[])::text
      from auditctl.event as e where target not like 'auditctl.%%' order by 1
"""


def customers(db: str, conn: psycopg.Connection) -> list[int]:
    """An audited table with one record, created and twice updated; returns the numbers of its events."""
    conn.execute("create table customer (id int primary key, email text, actor text, balance numeric)")
    audit(db, "customer")
    conn.execute("insert into customer values (7, 'ann@example.org', 'x', 1)")
    conn.execute("update customer set email = 'ann@example.net', balance = 2")
    conn.execute("update customer set email = null")
    rows = conn.execute("select event_id from auditctl.event where target = 'public.customer' order by 1").fetchall()
    return [number for (number,) in rows]


def erase(auditctl: RunAuditctl, *words: str, check: int = 0) -> str:
    result = auditctl("erase", "--yes", "--reason", "request 31", *words, check=check)
    return result.err if check else result.out


def test_a_column_is_erased_on_both_sides_and_everything_else_stays(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    created, changed, _ = customers(db, conn)
    before = conn.execute(REST, [["old_values", "new_values"]]).fetchall()
    erase(auditctl, "--event", str(changed), "--column", "email")
    assert conn.execute(VALUES, [changed]).fetchone() == (
        {"email": ERASED, "balance": 1}, {"email": ERASED, "balance": 2}, None,
    )  # fmt: skip
    assert conn.execute(REST, [["old_values", "new_values"]]).fetchall() == before
    row = conn.execute(VALUES, [created]).fetchone()
    assert row and row[1]["email"] == "ann@example.org"


def test_without_columns_values_and_context_are_erased_of_all_events_named(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    numbers = record(conn, Recorded(context='{"reason": "Ann moved"}'), Recorded(action="DELETE", new=None))
    erase(auditctl, *(word for number in numbers for word in ("--event", str(number))))
    assert [conn.execute(VALUES, [number]).fetchone() for number in numbers] == [
        (ERASED, ERASED, ERASED), (ERASED, None, None),
    ]  # fmt: skip


def test_columns_of_the_event_are_erased_too(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    (number,) = record(conn, Recorded(context='{"previous_target_id": "6", "reason": "r"}'))
    erase(
        auditctl,
        "--event",
        str(number),
        *(f"--column={name}" for name in ("actor", "ip", "event.db_user", "target_id")),
    )
    assert conn.execute(
        "select actor, ip, db_user, target_id, context, actor_kind::text from auditctl.event where event_id = %s",
        [number],
    ).fetchone() == ("(erased)", None, "(erased)", None, {"previous_target_id": ERASED, "reason": "r"}, "application")
    assert conn.execute("select count(*) from auditctl.key_change").fetchone() == (0,)


def test_an_erasure_is_an_event_that_says_who_when_why_and_which_columns_but_no_value(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    created, _, _ = customers(db, conn)
    erase(auditctl, "--event", str(created), "--column", "email", "--column", "values.actor")
    row = conn.execute(
        "select actor, target_id, new_values, context ->> 'reason', (e.*)::text from auditctl.event as e "
        "where target = 'auditctl.erasure'"
    ).fetchone()
    assert row
    assert row[:2] == (conn.info.user, str(created))
    assert row[2]["places"] == ["values.actor", "values.email"]
    assert row[3] == "request 31"
    assert "ann@" not in row[4]
    assert conn.execute("select event_id, places, reason, erased_by from auditctl.erasure").fetchall() == [
        (created, ["values.actor", "values.email"], "request 31", conn.info.user)
    ]


def test_a_dry_run_shows_what_would_go_and_erases_nothing(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    created, changed, emptied = customers(db, conn)
    before = conn.execute(REST, [[]]).fetchall()
    result = auditctl(
        "erase", "--event", str(changed), "--column", "email", "--reason", "r", "--dry-run", "--format", "json", check=0
    )
    shown = json.loads(result.out)
    assert [(one["event_id"], one["places"], one["values"]) for one in shown["erased"]] == [
        (changed, ["values.email"], {"values.email": "ann@example.org → ann@example.net"})
    ]
    assert shown["elsewhere"] == [
        {"target": "public.customer", "target_id": "7", "place": "values.email", "events": [created, emptied]}
    ]
    assert f"email of public.customer 7 stays in other events: {created}, {emptied}" in result.err
    assert conn.execute(REST, [[]]).fetchall() == before
    assert conn.execute("select count(*) from auditctl.erasure").fetchone() == (0,)


def test_what_is_erased_already_is_not_erased_again(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    created, changed, _ = customers(db, conn)
    for words in ([f"--event={changed}", "--column=email"], [f"--event={created}"]):
        erase(auditctl, *words)
        before = conn.execute("select count(*) from auditctl.event").fetchone()
        assert erase(auditctl, *words) == ""
        assert erase(auditctl, *words[:1], "--column=email") == ""
        assert conn.execute("select count(*) from auditctl.event").fetchone() == before


def test_mistakes_are_named_and_erase_nothing(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    created, changed, _ = customers(db, conn)
    before = conn.execute(REST, [[]]).fetchall()
    own = conn.execute("select min(event_id) from auditctl.event where target like 'auditctl.%'").fetchone()
    assert own
    for words, code, message in [
        ([f"--event={created}", "--event=999999"], 2, "there is no event 999999"),
        ([f"--event={changed}", "--column=emial"], 2, 'has a column "emial" that can be erased'),
        ([f"--event={created}", "--column=actor"], 2, "Write values.actor for that of the table"),
        ([f"--event={created}", "--column=event.xact_id"], 2, 'has a column "event.xact_id"'),
        ([f"--event={created}", f"--event={own[0]}"], 5, "is a record of auditctl itself"),
        ([f"--event={created}", "--reason= "], 2, "the reason has no visible character"),
    ]:
        assert message in erase(auditctl, *words, check=code)
    assert auditctl("erase", f"--event={created}").code == 2
    refused = auditctl("erase", f"--event={created}", "--column=email", "--reason=r", check=2)
    assert "without a terminal, erase cannot ask" in refused.err
    assert "--yes" in refused.err
    assert conn.execute(REST, [[]]).fetchall() == before


@pytest.mark.parametrize("held", [("public.customer", None), ("public.customer", "7"), ("*", "7"), ("public.*", None)])
def test_a_hold_keeps_its_events_whole(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, held: tuple[str, str | None]
) -> None:
    created, _, _ = customers(db, conn)
    row = conn.execute("select auditctl.place_hold(%s, %s, 'case')", held).fetchone()
    assert row
    assert f"event {created} is under hold {row[0]}" in erase(auditctl, f"--event={created}", check=5)
    conn.execute("select auditctl.release_hold(%s, 'over')", row)
    assert "is under hold" in erase(auditctl, f"--event={created}", check=5)


def test_readers_see_that_a_value_was_erased(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    created, changed, emptied = customers(db, conn)
    erase(auditctl, f"--event={created}")
    erase(auditctl, f"--event={changed}", "--column=email")
    shown = conn.execute("select event_id, details from auditctl.activity where event_id <= %s order by 1", [emptied])
    assert dict(shown.fetchall()[-3:]) == {
        created: "(erased)",
        changed: "balance: 1 → 2; email: (erased) → (erased)",
        emptied: "email: ann@example.net → null",
    }
    for command in (["log"], ["show", str(changed)], ["history", "customer", "7"], ["log", "--column=email"]):
        assert "(erased)" in auditctl(*command, check=0).out
    assert "email erased by" in auditctl("show", str(changed), check=0).err
    for command in (["log", "--format=jsonl"], ["export", "--format=csv"], ["export", "--format=jsonl"], ["stats"]):
        auditctl(*command, check=0)


def test_an_application_cannot_make_a_value_look_erased(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table doc (id int primary key, body jsonb)")
    audit(db, "doc")
    conn.execute("""insert into doc values (1, '{"$erased": true}')""")
    row = conn.execute("select new_values from auditctl.event where target = 'public.doc'").fetchone()
    assert row == ({"id": 1, "body": {"$json": ERASED}},)


ANNOUNCED: LiteralString = (
    "insert into auditctl.erasure (event_id, occurred_at, erased_in, places, reason, xact_id) "
    "select event_id, occurred_at, 0, '{event.new_values}', 'forged', pg_current_xact_id() "
    "from auditctl.event where event_id = %(number)s; "
)

UPDATE: LiteralString = "update auditctl.event set new_values = '{\"$erased\": true}'"

PAST: tuple[LiteralString, ...] = (
    f"{UPDATE} where event_id = %(number)s",
    f"{ANNOUNCED} update auditctl.event set new_values = null where event_id = %(number)s",
    f"{ANNOUNCED} update auditctl.event set new_values = new_values - 'email' where event_id = %(number)s",
    f"{ANNOUNCED} {UPDATE}, actor = null where event_id = %(number)s",
    f"{ANNOUNCED} {UPDATE}, xact_id = '3' where event_id = %(number)s",
    f"{ANNOUNCED} {UPDATE} where target = 'public.customer'",
    f"{ANNOUNCED} delete from auditctl.event where event_id = %(number)s",
    f"{ANNOUNCED} delete from auditctl.erasure",
    f"{ANNOUNCED} update auditctl.erasure set places = '{{event.old_values}}'",
    f"{ANNOUNCED} commit; begin; {UPDATE} where event_id = %(number)s",
    f"{ANNOUNCED} commit; begin; delete from auditctl.erasure",
    "truncate auditctl.erasure",
)
"""What a superuser tries without the function, or with an announcement that says something else."""


@pytest.mark.parametrize("role", ["postgres", "auditctl_owner"])
def test_nobody_changes_an_event_but_as_announced(db: str, conn: psycopg.Connection, role: str) -> None:
    created, _, _ = customers(db, conn)
    before = conn.execute(REST, [[]]).fetchall()
    for statement in PAST:
        with connect(db) as session, pytest.raises(psycopg.Error) as refused:
            session.execute("select set_config('role', %s, false)", [conn.info.user if role == "postgres" else role])
            with psycopg.ClientCursor(session) as cursor:
                cursor.execute(f"begin; {statement}; commit", {"number": created})
        assert refused.value.sqlstate == "UA001", statement
    assert conn.execute(REST, [[]]).fetchall() == before


def test_an_erasure_announced_by_hand_is_checked_completed_and_recorded(db: str, conn: psycopg.Connection) -> None:
    created, changed, _ = customers(db, conn)
    conn.execute("select auditctl.place_hold('public.customer', '8', 'case')")
    with conn.transaction():
        conn.execute(ANNOUNCED, {"number": created})
        conn.execute("update auditctl.event set new_values = '{\"$erased\": true}' where event_id = %s", [created])
    assert conn.execute(
        "select erased_in = e.event_id and erased_by = session_user and reason = context ->> 'reason' "
        "from auditctl.erasure cross join auditctl.event as e where e.target = 'auditctl.erasure'"
    ).fetchall() == [(True,)]
    conn.execute("select auditctl.place_hold('public.customer', '7', 'case')")
    with pytest.raises(psycopg.errors.ObjectInUse, match="under hold"):
        conn.execute(ANNOUNCED, {"number": changed})


def test_only_administrators_erase(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    created, _, _ = customers(db, conn)
    calls: tuple[LiteralString, ...] = ("select auditctl.erase_events(array[%(number)s], '{}', 'r')", ANNOUNCED)
    for role in ("auditctl_reader", "auditctl_app", "auditctl_backup"):
        for call in calls:
            with connect(login("some", roles=[role]).dsn) as session, pytest.raises(psycopg.Error) as refused:
                session.execute(call, {"number": created})
            assert refused.value.sqlstate == "42501"
    with connect(login("admin", roles=["auditctl_admin"]).dsn) as session:
        session.execute("create temp table erasure (event_id bigint)")
        session.execute("select auditctl.erase_events(array[%s], '{email}', 'r')", [created])
    row = conn.execute(VALUES, [created]).fetchone()
    assert row and row[1]["email"] == ERASED
