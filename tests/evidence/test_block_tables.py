"""The tables of evidence: a block continues the last one, and no row is ever changed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import Login, MakeLogin

SECRET = bytes(range(32))
STATE = '{"kind":"guard"}\n'


def record_hash(record: str) -> bytes:
    return hashlib.sha256(b"\0auditctl block v1\n" + record.encode()).digest()


def facts(conn: psycopg.Connection[Any], **other: object) -> dict[str, Any]:
    """The facts of a block that continues the last one."""
    (snapshot,) = conn.execute("select pg_current_snapshot()::text").fetchone() or ("",)
    last = conn.execute(
        "select number, first_leaf + events + 1, snapshot::text, record from auditctl.block order by 1 desc limit 1"
    ).fetchone() or (0, 0, "1:1:", None)
    return {
        "number": last[0] + 1, "incarnation": 1, "first_leaf": last[1], "events": 0, "previous_snapshot": last[2],
        "snapshot": snapshot, "from_time": None, "until_time": None, "is_last_part": True, "first_event_id": None,
        "last_event_id": None, "last_sealed_event_id": 0, "adoption_event_id": 0,
        "sealed_at": conn.execute("select now()::text").fetchone()[0],  # type: ignore[index]
        "secret_sha256": hashlib.sha256(SECRET).hexdigest(), "capture": hashlib.sha256(STATE.encode()).hexdigest(),
        "previous": record_hash(last[3]).hex() if last[3] else None, **other,
    }  # fmt: skip


def note(size: int) -> str:
    """What has the shape of a signed checkpoint."""
    return f"origin\n{size}\n{'A' * 43}=\n\n\N{EM DASH} origin AAAA\n"


def append(conn: psycopg.Connection[Any], facts: dict[str, Any], **other: object) -> None:
    record = json.dumps(facts)
    arguments: dict[str, object] = {
        "record": record, "state": STATE, "secret": SECRET,
        "hashes": b"\1" * 32 * facts["events"] + record_hash(record), "checks": b"\2" * 13 * facts["events"],
        "nodes": "[]", "note": note(facts["first_leaf"] + facts["events"] + 1), **other,
    }  # fmt: skip
    conn.execute(
        "select auditctl.append_block(%(record)s, %(state)s, %(secret)s, %(hashes)s, %(checks)s, %(nodes)s, %(note)s)",
        arguments,
    )


@pytest.fixture
def admin(login: MakeLogin) -> Iterator[psycopg.Connection[Any]]:
    with connect(login("sealer", roles=["auditctl_admin"]).dsn) as session:
        yield session


def test_block_continues_the_last_one_or_is_refused(admin: psycopg.Connection[Any], conn: psycopg.Connection) -> None:
    append(admin, facts(admin, events=2, first_event_id=1, last_event_id=2))
    good = facts(admin)
    end = int(good["previous_snapshot"].split(":")[1])
    different: dict[str, dict[str, object]] = {
        "number": {"number": 3}, "first_leaf": {"first_leaf": 2}, "previous": {"previous": "00"},
        "incarnation": {"incarnation": 3}, "previous_snapshot": {"previous_snapshot": "1:1:"},
        "from_time": {"from_time": "2026-01-01Z"}, "until_time": {"until_time": "2026-01-01Z"},
        "first_event_id": {"first_event_id": 5}, "secret_sha256": {"secret_sha256": "00"}, "capture": {"capture": "00"},
    }  # fmt: skip
    for name, change in different.items():
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"its {name} differs"):
            append(admin, good | change)
    arguments: dict[str, dict[str, object]] = {
        "hashes": {"hashes": b"\0" * 32}, "checks": {"checks": b"x"}, "secret_sha256": {"secret": b"x" * 32},
        "capture": {"state": "other"},
    }  # fmt: skip
    for name, change in arguments.items():
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"its {name} differs"):
            append(admin, good, **change)
    for snapshot in (f"{end}:{end + 100}:", "3:3:", f"{end - 1}:{end}:{end - 1}"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="its snapshot differs"):
            append(admin, good | {"snapshot": snapshot})
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not adopted"):
        append(admin, good | {"incarnation": 2, "previous_snapshot": "1:1:"})
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not of 4 leaves"):
        append(admin, good, note=note(5))
    for text in ("", "x", "origin\n4\nroot\n", note(4)[:-1], note(4).replace("\N{EM DASH}", "-"), note(4) + "x"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="not a signed note"):
            append(admin, good, note=text)
    append(admin, good)
    assert admin.execute("select number, first_leaf, events from auditctl.block order by 1").fetchall() == [
        (1, 0, 2),
        (2, 3, 0),
    ]


def test_snapshot_that_calls_a_running_transaction_ended_is_refused(
    admin: psycopg.Connection[Any], db: str, conn: psycopg.Connection
) -> None:
    append(admin, facts(admin))
    with connect(db) as other, other.transaction():
        (running,) = other.execute("select pg_current_xact_id()::text::bigint").fetchone() or (0,)
        conn.execute("select pg_current_xact_id()")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="its snapshot differs"):
            append(admin, facts(admin, snapshot=f"{running + 1}:{running + 1}:"))
        append(admin, facts(admin))


def test_parts_of_an_interval_follow_each_other(admin: psycopg.Connection[Any]) -> None:
    first = facts(admin, is_last_part=False, until_time="2026-01-02Z")
    append(admin, first)
    between = {"previous_snapshot": "1:1:", "snapshot": first["snapshot"]}
    for wrong in (facts(admin), facts(admin, **between), facts(admin, **between, from_time="2026-01-03Z")):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="differs"):
            append(admin, wrong)
    append(admin, facts(admin, **between, from_time="2026-01-02Z"))
    append(admin, facts(admin))


def test_only_one_session_seals_and_a_second_one_learns_which(
    admin: psycopg.Connection[Any], login: MakeLogin, conn: psycopg.Connection
) -> None:
    reader: Login = login("reader", roles=["auditctl_reader"])
    with (
        connect(login("other", roles=["auditctl_admin"]).dsn) as other,
        connect(reader.dsn) as reading,
        reading.transaction(),
    ):
        # A reader's lock is not in the way of anybody.
        reading.execute("lock table auditctl.incarnation, auditctl.block in access share mode")
        with other.transaction():
            assert other.execute("select auditctl.begin_sealing()").fetchone() == (None,)
            (answer,) = admin.execute("select auditctl.begin_sealing()").fetchone() or ("",)
            assert answer.startswith(f"process {other.info.backend_pid} (")
            append(admin, facts(admin))
        assert admin.execute("select auditctl.begin_sealing()").fetchone() == (None,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reading.execute("select auditctl.begin_sealing()")


def test_evidence_is_write_once_even_for_a_superuser(admin: psycopg.Connection[Any], conn: psycopg.Connection) -> None:
    append(admin, facts(admin), nodes=json.dumps([{"level": 8, "index": 0, "hash": "00" * 32}]))
    for table, column in {
        "block": "record", "node": "hash", "incarnation": "database", "checkpoint": "note",
    }.items():  # fmt: skip
        for statement in (f"update auditctl.{table} set {column} = {column}", f"delete from auditctl.{table}"):
            for settings in ("set session_replication_role = replica", "reset session_replication_role"):
                conn.execute(settings)
                with pytest.raises(psycopg.errors.Error) as error:
                    conn.execute(statement.encode())
                assert error.value.sqlstate == "UA001", statement
        with pytest.raises(psycopg.errors.Error) as error:
            conn.execute(f"truncate auditctl.{table}".encode())
        assert error.value.sqlstate == "UA001"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute(f"delete from auditctl.{table}".encode())


def test_checkpoints_of_a_day_but_the_last_go_unless_they_are_kept(admin: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        append(admin, facts(admin))
    assert admin.execute("select tree_size from auditctl.checkpoint").fetchall() == [(3,)]
