"""What an answer says beside its events: which filter has no effect, and how much of the log covers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

NOBODY = "Nobody is called ailce: nothing is excluded. Did you mean alice?\n"


def test_a_user_to_leave_out_whom_nobody_is_is_named_beside_the_events(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    record(conn, Recorded(actor="alice"), Recorded(actor="bob", at=minutes(1)))
    typo = auditctl("log", "--not-user", "ailce", "--target", "billing.customer", "--format", "jsonl", check=0)
    assert len(typo.out.splitlines()) == 2
    assert NOBODY in typo.err
    assert NOBODY in auditctl("export", "--not-user", "ailce", "--not-user", "bob", check=0).err
    assert NOBODY in auditctl("log", "--transactions", "--not-user", "ailce", check=0).err
    for known in ("alice", "(System)"):
        assert "Nobody" not in auditctl("log", "--not-user", known, check=0).err


def test_an_empty_answer_says_since_when_tables_are_audited(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table one (id int primary key)")
    auditctl("enable", "public.one", check=0)
    assert "1 table is audited, since " in auditctl("log", "--user", "carol", check=0).err
    conn.execute("create table two (id int primary key)")
    auditctl("enable", "public.two", check=0)
    said = auditctl("log", "--user", "carol", "--action", "read", check=0).err
    assert "No events.\nREAD is captured on no table.\n" in said
    # Within a second, both times are one.
    assert re.search("2 tables are audited, (the first )?since ", auditctl("log", "--user", "carol", check=0).err)
    assert "are audited" not in auditctl("log", check=0).err


def test_what_many_tables_lack_is_one_sentence_unless_each_is_asked_for(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    for number in range(9):
        conn.execute(f"create table t{number} (id int primary key)".encode())
    auditctl("apply", "--yes", "-", input='[[table]]\nname = "public.t*"\n', check=0)
    brief = auditctl("log", "--since", "2026-01-01", check=0).err
    assert brief.count("audited tables: recorded only since a later time, the last since ") == 1
    assert "9 of 9 audited tables" in brief
    assert "Add -v to see each of them.\n" in brief
    each = auditctl("log", "--since", "2026-01-01", "-v", check=0).err
    assert [f"of public.t{number}: recorded only since" in each for number in range(9)] == [True] * 9
    assert "Add -v" not in each
    assert "Add -v" in auditctl("log", "--transactions", "--since", "2026-01-01", check=0).err
    assert auditctl("log", "--transactions", "--since", "2026-01-01", "-v", check=0).err == each
