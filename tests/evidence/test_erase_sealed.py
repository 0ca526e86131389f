"""What an erasure leaves of a sealed event: all else in it, and all other events, are still proved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.support.leaves import read_blocks, root, seal, verify
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Sequence

NEW = '{"email": "ann@example.org", "name": "Ann", "note": 1.10}'


def erase(conn: psycopg.Connection, events: Sequence[int], columns: Sequence[str] = ()) -> None:
    conn.execute("select auditctl.erase_events(%s, %s, 'request 31')", [list(events), list(columns)])


def alter(conn: psycopg.Connection, change: LiteralString, event: int) -> list[tuple[int, str]]:
    """What is found after a superuser changed an event past the guard; it is undone."""
    found: list[tuple[int, str]] = []
    with conn.transaction(force_rollback=True):
        conn.execute("alter table auditctl.event disable trigger user")
        conn.execute(f"update auditctl.event set {change} where event_id = %s", [event])
        found.extend(verify(conn))
    return found


def write(conn: psycopg.Connection, *events: Recorded) -> list[int]:
    """Record events in one transaction, whose number they have."""
    with conn.transaction():
        row = conn.execute("select pg_current_xact_id()::text::bigint").fetchone()
        assert row
        return record(conn, *(replace(event, xact=row[0]) for event in events))


def sealed(conn: psycopg.Connection) -> list[int]:
    numbers = write(
        conn, *(Recorded(target_id=str(key), new=NEW, old=None, action="CREATE", ip=None) for key in range(5))
    )
    seal(conn)
    numbers += write(conn, Recorded(new=NEW, old='{"email": "ann@example.com"}', context='{"reason": "r"}'))
    seal(conn)
    assert verify(conn) == []
    return numbers


def test_everything_else_is_proved_after_an_erasure_and_each_further_change_is_found(conn: psycopg.Connection) -> None:
    numbers = sealed(conn)
    before = root(conn)
    erase(conn, [numbers[1], numbers[3]], ["email"])
    erase(conn, [numbers[4]])
    erase(conn, [numbers[5]], ["email", "event.actor"])
    assert verify(conn) == []
    assert root(conn) == before
    assert [(block[5], len(block[6]) // 32) for block in read_blocks(conn)] == [
        (None, block[2]) for block in read_blocks(conn)
    ]
    for number, change, found in [
        (numbers[0], "actor = 'x'", ["altered"]),
        (numbers[1], "actor = 'x'", ["altered"]),
        (numbers[1], "xact_id = '4'", ["altered"]),
        (numbers[1], 'new_values = new_values || \'{"name": "Eve"}\'', ["new_values"]),
        (numbers[1], "new_values = new_values || '{\"note\": 1.1}'", ["new_values"]),
        (numbers[1], 'new_values = new_values || \'{"email": "eve@example.org"}\'', ["new_values"]),
        (numbers[4], 'new_values = \'{"name": "Eve"}\'', ["new_values"]),
        (numbers[4], "context = '{}'", ["altered"]),
        (numbers[5], "actor = 'eve'", ["actor"]),
        (numbers[5], "actor = null", ["actor"]),
        (numbers[5], 'context = \'{"reason": "s"}\'', ["altered"]),
    ]:
        assert alter(conn, change, number) == [(number, reason) for reason in found], change


def test_an_event_that_is_erased_in_steps_is_proved_after_each(conn: psycopg.Connection) -> None:
    numbers = sealed(conn)
    for columns in (["email"], ["event.ip", "event.actor"], ["name"], [], ["event.db_user", "event.target_id"]):
        erase(conn, [numbers[5]], columns)
        assert verify(conn) == []
        seal(conn)
        assert verify(conn) == []
    rows = conn.execute("select units, salts is null from auditctl.erasure order by erased_in").fetchall()
    assert [is_null for _, is_null in rows] == [True, True, True, True, False]
    assert rows[-1][0] == ["actor", "ip", "db_user", "target_id", "old_values", "new_values", "context"]


def test_an_event_that_was_not_sealed_is_sealed_as_it_is_then(conn: psycopg.Connection) -> None:
    (number,) = write(conn, Recorded())
    erase(conn, [number])
    assert conn.execute("select block, units, salts from auditctl.erasure").fetchall() == [(None, [], None)]
    seal(conn)
    assert verify(conn) == []


def test_an_event_that_is_not_as_it_was_sealed_is_not_erased(conn: psycopg.Connection) -> None:
    numbers = sealed(conn)
    with conn.transaction():
        conn.execute("alter table auditctl.event disable trigger user")
        conn.execute("update auditctl.event set actor = 'eve' where event_id = %s", [numbers[5]])
        conn.execute("alter table auditctl.event enable always trigger event_write_once_row")
        conn.execute("alter table auditctl.event enable always trigger event_write_once_statement")
    with pytest.raises(psycopg.errors.DataCorrupted, match="not as it was sealed in block 2"):
        erase(conn, numbers[4:])
    assert conn.execute("select count(*) from auditctl.erasure").fetchone() == (0,)
    erase(conn, numbers[:5])
    assert verify(conn) == [(numbers[5], "altered")]


def test_the_announcement_has_the_digest_of_what_proves_the_rest(conn: psycopg.Connection) -> None:
    numbers = sealed(conn)
    erase(conn, [numbers[5]], ["email"])
    assert conn.execute(
        "select new_values ->> 'block', new_values ->> 'digest' = auditctl_internal.erasure_digest(r) "
        "from auditctl.erasure as r join auditctl.event as e on e.event_id = r.erased_in"
    ).fetchone() == ("2", True)


PUNCTURE: LiteralString = (
    "update auditctl.block set secret = null, salts = decode(repeat('00', (32 * events)::integer), 'hex')"
)


def test_a_block_changes_only_as_an_erasure_needs_it(conn: psycopg.Connection) -> None:
    numbers = sealed(conn)
    announced = (
        "begin; insert into auditctl.erasure (event_id, occurred_at, erased_in, places, reason) "
        "select event_id, occurred_at, 0, '{event.actor}', 'r' from auditctl.event where event_id = %(number)s; "
    )
    tried: list[LiteralString] = [
        f"begin; {PUNCTURE}",
        f"{announced} {PUNCTURE} where number = 1",
        f"{announced} update auditctl.block set salts = sha256('x') where number = 2",
        f"{announced} update auditctl.block set secret = sha256('x') where number = 2",
        f"{announced} {PUNCTURE}, hashes = salts where number = 2",
        f"{announced} {PUNCTURE}, record = 'x' where number = 2",
        f"{announced} {PUNCTURE}, first_event_id = 1 where number = 2",
        f"{announced} delete from auditctl.block where number = 2",
    ]
    for statement in tried:
        with psycopg.ClientCursor(conn) as cursor:
            with pytest.raises(psycopg.Error) as refused:
                cursor.execute(statement, {"number": numbers[5]})
            assert refused.value.sqlstate == "UA001", statement
            cursor.execute("rollback")
    assert verify(conn) == []
