"""Filters over a real log: each finds exactly the events it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL

from auditctl.errors import UsageError
from auditctl.log import selection
from auditctl.log.filters import Filters
from auditctl.log.selection import Selection
from tests.support.recorded import START, Recorded, label, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl


def found(conn: psycopg.Connection, **texts: str | list[str]) -> list[int]:
    """The identities of the events that filters select, oldest first."""
    given = {name: [some] if isinstance(some, str) else some for name, some in texts.items()}
    predicates = Filters.parse(given).resolve(conn).predicates()
    query = Selection(predicates, selection.Order.ASC).query(SQL("event_id"))
    return [row[0] for row in conn.execute(query)]


def test_interval_holds_its_start_and_not_its_end(conn: psycopg.Connection) -> None:
    before, start, end = record(conn, *(Recorded(at=minutes(count)) for count in (-1, 0, 1)))
    since, until = START.isoformat(), minutes(1).isoformat()
    assert found(conn, since=since, until=until) == [start]
    assert found(conn, since="2026-03-01", until=until) == [before, start]
    assert end in found(conn, since=until)


def test_duration_counts_back_from_now(conn: psycopg.Connection) -> None:
    (old,) = record(conn, Recorded())
    recent = conn.execute(
        """insert into auditctl.event (occurred_at, actor, actor_kind, target, action)
           values (now() - interval '90 minutes', 'a', 'application', 't.t', 'EVENT') returning event_id"""
    ).fetchone()
    assert recent is not None
    assert found(conn, since="2h", target="t.t") == [recent[0]]
    assert found(conn, since="1h", target="t.t") == []
    assert old in found(conn, until="2h")


def test_far_ends_of_time_are_no_crash(conn: psycopg.Connection) -> None:
    (only,) = record(conn, Recorded())
    assert found(conn, since="0001-01-01", until="9999-12-31T23:59:59Z", target="billing.*") == [only]
    assert found(conn, since="36525d", target="billing.*") == [only]


def test_target_is_found_by_name_label_glob_and_table(conn: psycopg.Connection) -> None:
    customer, invoice, other, event = record(
        conn,
        Recorded(at=minutes(0)),
        Recorded(at=minutes(1), target="billing.invoice"),
        Recorded(at=minutes(2), target="crm.customer"),
        Recorded(at=minutes(3), target="signup", action="EVENT", old=None, new=None),
    )
    label(conn, "billing.customer", "Customer")
    label(conn, "billing.invoice")
    for name in ("billing.customer", "BILLING.Customer", "Customer", "[b]illing.c*"):
        assert found(conn, target=name) == [customer]
    assert found(conn, target=["Customer", "invoice"]) == [customer, invoice]
    assert found(conn, target="billing.*") == [customer, invoice]
    assert found(conn, target="crm.customer") == [other]
    assert found(conn, target="signup") == [event]


def test_table_without_schema_must_be_the_only_one(conn: psycopg.Connection) -> None:
    record(conn, Recorded(target="a.row"), Recorded(target="b.row"))
    with pytest.raises(UsageError, match=r"'row' may mean a\.row or b\.row"):
        found(conn, target="row")


def test_exact_case_comes_before_lower_case(conn: psycopg.Connection) -> None:
    upper, lower = record(conn, Recorded(target="s.Order"), Recorded(target="s.order", at=minutes(1)))
    assert found(conn, target="s.Order") == [upper]
    assert found(conn, target="s.ORDER") == [lower]


def test_new_name_of_a_table_does_not_select_the_old(conn: psycopg.Connection) -> None:
    old, new = record(conn, Recorded(target="s.old"), Recorded(target="s.new", at=minutes(5)))
    label(conn, "s.old")
    label(conn, "s.new")
    conn.execute(
        "insert into auditctl.rename (old_target, new_target, renamed_at) values ('s.old', 's.new', %s)", [minutes(1)]
    )
    assert found(conn, target="s.new") == [new]
    assert found(conn, target="s.old") == [old]


def test_unknown_table_is_an_error_with_close_names(conn: psycopg.Connection) -> None:
    record(conn, Recorded())
    with pytest.raises(UsageError, match=r"the log knows no table 'billing\.custmer'") as caught:
        found(conn, target="billing.custmer")
    assert "billing.customer" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        found(conn, target="zzz*")
    assert caught.value.hint == "List the audited tables with: auditctl tables"


def test_hostile_table_names_are_found(conn: psycopg.Connection) -> None:
    names = ['s."; drop table x; --', "s.a'b", "s.%s {} \\", 's."dotted.name"', "s.名前"]
    recorded = record(conn, *(Recorded(target=name) for name in names))
    assert [found(conn, target=name) for name in names] == [[event] for event in recorded]


def test_key_is_found_exactly_and_an_array_in_any_spelling(conn: psycopg.Connection) -> None:
    seven, pair, text = record(
        conn,
        Recorded(target_id="7"),
        Recorded(target_id='["a", 1.0]', at=minutes(1)),
        Recorded(target_id='["a",1.0]', at=minutes(2)),
    )
    assert found(conn, id="7") == [seven]
    assert found(conn, id="07") == []
    assert found(conn, id='["a", 1.0]') == [pair]
    assert found(conn, id='["a",1.0]') == [pair, text]
    assert found(conn, id="[oops") == []


def test_system_is_never_a_person_of_that_name(conn: psycopg.Connection) -> None:
    system, person, login = record(
        conn,
        Recorded(actor=None, kind="system"),
        Recorded(actor="System", at=minutes(1)),
        Recorded(actor="x", db_user="System", at=minutes(2)),
    )
    assert found(conn, user="System") == [system]
    assert found(conn, user="actor:System") == [person]
    assert found(conn, user="login:System") == [login]


def test_user_is_actor_or_login(conn: psycopg.Connection) -> None:
    actor, login = record(conn, Recorded(actor="bob", db_user="web"), Recorded(actor="x", db_user="bob", at=minutes(1)))
    assert found(conn, user="bob") == [actor, login]
    assert found(conn, user="actor:bob") == [actor]
    assert found(conn, user="login:bob") == [login]


def test_column_is_one_that_an_update_changed(conn: psycopg.Connection) -> None:
    update, both, _ = record(
        conn,
        Recorded(new='{"balance": 1}', old='{"balance": 2}'),
        Recorded(new='{"status": "x", "na\'me": 1}', old='{"status": "y", "na\'me": 2}', at=minutes(1)),
        Recorded(action="CREATE", old=None, new='{"balance": 1, "note": "x"}', at=minutes(2)),
    )
    assert found(conn, column="balance") == [update]
    assert found(conn, column=["balance", "status"]) == [update, both]
    assert found(conn, column="na'me") == [both]


def test_unknown_column_is_an_error_and_one_that_a_table_has_is_not(conn: psycopg.Connection) -> None:
    conn.execute('create table public."we.ird" (kept text)')
    label(conn, 'public."we.ird"')
    record(conn, Recorded())
    assert found(conn, column="kept") == []
    with pytest.raises(UsageError, match="no audited table has a column 'kep'") as caught:
        found(conn, column="kep")
    assert caught.value.hint == "Did you mean kept?"
    with pytest.raises(UsageError, match=r"no table in billing\.customer has a column 'kept'"):
        found(conn, column="kept", target="billing.customer")


def test_address_and_network(conn: psycopg.Connection) -> None:
    four, six, claimed, _ = record(
        conn,
        Recorded(ip="203.0.113.7"),
        Recorded(ip="2001:db8::7", at=minutes(1)),
        Recorded(ip="198.51.100.7/24", at=minutes(2)),
        Recorded(ip=None, at=minutes(3)),
    )
    assert found(conn, ip="203.0.113.7") == [four]
    assert found(conn, ip="203.0.113.0/24") == [four]
    assert found(conn, ip="0.0.0.0/0") == [four, claimed]
    assert found(conn, ip="2001:DB8:0::7") == [six]
    assert found(conn, ip="198.51.100.7") == [claimed]


def test_transaction_and_context(conn: psycopg.Connection) -> None:
    one, two = record(
        conn,
        Recorded(xact=2**64 - 1, context='{"request_id": "r1", "n": 1, "empty": ""}'),
        Recorded(xact=5, context='{"request_id": "r1", "n": 2, "q\'": "100%"}', at=minutes(1)),
    )
    assert found(conn, xact="18446744073709551615") == [one]
    assert found(conn, context="request_id=r1") == [one, two]
    assert found(conn, context=["request_id=r1", "n=2"]) == [two]
    assert found(conn, context="q'=100%") == [two]
    assert found(conn, context="empty=") == [one]


@pytest.mark.parametrize("name", ["capture", "ddl", "export", "role", "rule", "store"])
def test_what_auditctl_records_of_itself_can_be_asked_for_before_it_happened(
    db: str, auditctl: RunAuditctl, name: str
) -> None:
    done = auditctl("log", "--target", f"auditctl.{name}", "--until", "2000-01-01", check=0)
    assert (done.out, done.err) == ("", "No events.\n")
