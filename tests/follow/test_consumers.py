"""Consumers of the log: whose they are, how they are called, and who may move, list and drop them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

ODD = ("a b", 'it\'s "x"; drop', "-", "名前", "x" * 200, "$(touch hacked)", "../up", "%s")
NOT_NAMES = ("", " ", "x" * 201, "a\nb", "a\x1b[2Jb", "\u200b")


def test_odd_names_are_names_and_names_that_cannot_be_read_are_refused(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    for name in ODD:
        auditctl("follow", "--once", f"--consumer={name}", check=0)
    listed = [
        json.loads(line)["name"] for line in auditctl("follow", "--list", "--format", "jsonl", check=0).out.splitlines()
    ]
    assert sorted(listed) == sorted(ODD)
    for name in ODD:
        auditctl("follow", f"--drop={name}", check=0)
    assert auditctl("follow", "--list", check=0).err == "There are no consumers.\n"
    for name in NOT_NAMES:
        refused = auditctl("follow", "--once", f"--consumer={name}", check=5)
        assert refused.err.startswith(
            "error: the name of a consumer has 1 to 200 bytes, and no control characters\nhint:"
        )


def test_nobody_moves_or_drops_anothers_consumer_but_an_administrator_may_drop_it(
    conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    one, other = login("one", roles=["auditctl_reader"]), login("other", roles=["auditctl_reader"])
    admin = login("chief", roles=["auditctl_admin"])
    auditctl("follow", "--once", "--consumer", "siem", dsn=one.dsn, check=0)
    for dsn in (other.dsn, admin.dsn, None):
        refused = auditctl("follow", "--once", "--consumer", "siem", dsn=dsn, check=5)
        assert f'the consumer "siem" belongs to the login {one.name}' in refused.err
        assert refused.out == ""
    assert "belongs to the login" in auditctl("follow", "--drop", "siem", dsn=other.dsn, check=5).err
    assert one.name in auditctl("follow", "--list", dsn=other.dsn, check=0).out
    for attempt in (
        "update auditctl.consumer set snapshot = null",
        "delete from auditctl.consumer",
        "select auditctl.move_consumer('siem', null, null, null, null, 0)",
    ):
        with psycopg.connect(other.dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(attempt)
    with psycopg.connect(login("stranger").dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("select auditctl.drop_consumer('siem')")
    auditctl("follow", "--drop", "siem", dsn=admin.dsn, check=0)
    assert 'there is no consumer "siem"' in auditctl("follow", "--drop", "siem", dsn=admin.dsn, check=5).err


def test_of_two_followers_of_a_consumer_one_is_refused_and_told_who_follows(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    opened = "select auditctl.open_consumer('siem', '{}', 'jsonl', null, null, null)"
    with connect(db) as first:
        first.execute("set application_name = 'shipper'")
        first.execute(opened)
        process = first.info.backend_pid
        refused = auditctl("follow", "--consumer", "siem", check=5)
        assert refused.err == (
            f'error: another session follows as consumer "siem": process {process} (shipper) of postgres\n'
            f"hint: Follow under another name, or end it: select pg_terminate_backend({process});\n"
        )
        assert "another session follows" in auditctl("follow", "--drop", "siem", check=5).err
        # A follower whose connection was lost takes its consumer over from the session that the server still has.
        conn.execute("select auditctl.open_consumer('siem', '{}', 'jsonl', null, null, %s)", [process])
        with pytest.raises(psycopg.errors.ObjectInUse):
            first.execute("select auditctl.move_consumer('siem', null, null, null, null, 0)")
