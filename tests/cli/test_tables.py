"""`auditctl tables`: every table with its actions and state."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.usefixtures("unguarded")
"""What happens to capture where nobody may create event triggers; with the guard, see test_guard_*."""

ALL = ["create", "update", "delete", "truncate"]


def test_each_table_is_listed_with_its_state(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    conn.execute("""
        create table disabled (id int primary key);
        create table dropped (id int primary key);
        create table missing (id int primary key);
        create table ok (id int primary key);
        create table outdated (id int primary key);
        create table unaudited (id int primary key);
        create table "x\x1b[31m" (id int primary key);
        create view unlisted as select 1
    """)
    audit(db, "disabled", "dropped", "missing", "outdated")
    audit(db, "ok", actions=(), label="Fine")
    conn.execute("""
        alter table disabled disable trigger auditctl_create;
        drop table dropped;
        drop trigger auditctl_update on missing;
        alter table outdated add column n int
    """)
    audited: list[dict[str, Any]] = [
        {
            "table": "public.disabled", "label": None, "actions": ALL, "state": "disabled",
            "reason": "CREATE on public.disabled: The trigger is disabled.",
        },
        {
            "table": "public.dropped", "label": None, "actions": ALL, "state": "missing",
            "reason": "rule public.dropped: name: there is no table public.dropped",
        },
        {
            "table": "public.missing", "label": None, "actions": ALL, "state": "missing",
            "reason": "UPDATE on public.missing: There is no trigger yet.",
        },
        {"table": "public.ok", "label": "Fine", "actions": ALL, "state": "ok", "reason": ""},
        {
            "table": "public.outdated", "label": None, "actions": ALL, "state": "outdated",
            "reason": "CREATE on public.outdated: The function does not match the rule and the table's columns.",
        },
    ]  # fmt: skip
    for row in audited:
        row |= {"rule": row["table"], "why": "" if row["table"] == "public.dropped" else "its own rule"}
    unaudited: list[dict[str, Any]] = [
        {
            "table": name, "label": None, "actions": [], "state": "unaudited", "reason": "", "rule": None, "why": "",
        }
        for name in ("public.unaudited", 'public."x\x1b[31m"')
    ]  # fmt: skip
    assert json.loads(auditctl("tables", "--format", "json", check=0).out) == audited
    everything = auditctl("tables", "--all", "--format", "json", dsn=login("auditor", roles=["auditctl_reader"]).dsn)
    assert everything.code == 0, everything.err
    assert json.loads(everything.out) == sorted(audited + unaudited, key=lambda row: str(row["table"]))

    shown = auditctl("tables", "--all", check=0)
    assert shown.err == ""
    assert "\x1b" not in shown.out
    head, hostile, first, *_ = shown.out.splitlines()
    assert head.split() == ["Table", "Label", "Actions", "State", "Covered", "by", "Reason"]
    assert hostile.split() == ['public."x\\x1b[31m"', "unaudited"]
    assert first.split()[:3] == ["public.disabled", "create,update,delete,truncate", "disabled"]


def test_where_nothing_is_audited_the_next_step_is_named(db: str, auditctl: RunAuditctl) -> None:
    done = auditctl("tables", check=0)
    assert (done.out, done.err) == ("", "No table is audited yet. Next: auditctl enable SCHEMA.TABLE\n")
    assert auditctl("tables", "--format", "json", check=0).out == "[]\n"


def test_a_login_without_a_role_sees_nothing_and_is_told_what_to_ask_for(
    db: str, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    stranger = login("a stranger")
    for command in (["tables"], ["plan"], ["check"], ["config"]):
        done = auditctl(*command, dsn=stranger.dsn, check=5)
        assert (done.out, done.err.splitlines()) == (
            "",
            [
                "error: permission denied for table rule",
                f"hint: Ask the DBA for: auditctl grant reader {shlex.quote(stranger.name)}",
            ],
        )
    for command in (["log"], ["show", "1"], ["export"], ["history", "a", "1"]):
        done = auditctl(*command, dsn=stranger.dsn, check=5)
        assert done.err.splitlines()[1:] == [
            f"hint: Ask the DBA for: auditctl grant reader {shlex.quote(stranger.name)}"
        ]


def test_the_owner_of_a_table_is_told_who_may_audit_it(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    owner = login("owner")
    conn.execute("create table a (id int primary key)")
    conn.execute(f"alter table a owner to {owner.name}".encode())
    for command in ("enable", "disable"):
        done = auditctl(command, "public.a", dsn=owner.dsn, check=5)
        assert done.err.splitlines()[1:] == [
            f"hint: Ask the DBA for: auditctl grant admin {owner.name}. "
            "Use a superuser, or the login that ran `auditctl install`."
        ]
