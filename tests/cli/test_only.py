"""`--only`: a command looks at the tables that it names, and at nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditctl.actions import DEFAULT
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit, events, pending, triggers
from tests.support.tenants import EVERYTHING, captured, file, make_tenants, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

CREATE, UPDATE, DELETE, TRUNCATE = DEFAULT
FOURTH = {name: actions for name, actions in EVERYTHING.items() if name.startswith("tenant_004")}


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    with prepared(server, template, make_tenants) as name:
        yield name


def test_apply_of_some_tables_leaves_and_locks_no_other(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "tenant_*.*", actions=(CREATE,))
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    for name in EVERYTHING:
        conn.execute(f"alter table {name} disable trigger auditctl_create".encode())
    only = ("--only", "tenant_004.*")
    assert [line.split()[1] for line in auditctl("plan", *only, check=0).out.splitlines()] == list(FOURTH)
    with connect(db) as other, other.transaction():
        other.execute("lock table tenant_001.customer, tenant_002.orders in access exclusive mode")
        done = auditctl("apply", *only, "--lock-timeout", "100ms", check=0)
    assert done.err.splitlines()[-1] == "Applied 2 changes."
    assert captured(conn) == dict.fromkeys(FOURTH, "create")
    assert auditctl("check", *only, check=0).err == ""
    assert auditctl("check", "--only", "tenant_001.*", "--only", "tenant_004.orders", check=3).err.splitlines() == [
        "error: 2 differences between the rules and the database",
        "hint: Fix with: auditctl apply --only 'tenant_001.*' --only tenant_004.orders",
    ]
    rows = json.loads(auditctl("tables", "--only", "*.orders", "--format", "json", check=0).out)
    assert [(row["table"], row["state"]) for row in rows] == [
        ("tenant_001.orders", "disabled"),
        ("tenant_002.orders", "disabled"),
        ("tenant_004.orders", "ok"),
    ]


def test_rules_of_a_file_count_only_for_what_is_named(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    audit(db, "tenant_002.orders", "tenant_001.*", actions=(CREATE,))
    text = file(("tenant_002.*", "update"), ("tenant_004.*", "create"))
    plan = auditctl("plan", "-", "--only", "tenant_004.*", input=text, check=0).out
    assert {line.split()[1] for line in plan.splitlines()} == FOURTH.keys()
    auditctl("apply", "-", "--only", "tenant_004.*", input=text, check=0)
    assert stored(conn) == [("tenant_002.orders", "create"), ("tenant_001.*", "create"), ("tenant_004.*", "create")]
    assert captured(conn).keys() == {"tenant_001.customer", "tenant_001.orders", "tenant_002.orders", *FOURTH}
    assert pending(db) == []
    gone = file(("tenant_002.*", "update"))
    auditctl("apply", "-", "--only", "tenant_004.*", "--only", "tenant_001.orders", input=gone, check=0)
    assert captured(conn).keys() == {"tenant_001.customer", "tenant_002.orders"}
    assert stored(conn) == [("tenant_002.orders", "create"), ("tenant_001.orders",), ("tenant_001.*", "create")]
    assert pending(db) == []


def test_a_wider_rule_of_a_file_is_stored_and_applied_where_it_is_named(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "tenant_002.*", actions=(UPDATE,))
    text = file(("tenant_*.*", "create", "update", "delete"))
    done = auditctl("apply", "-", "--only", "tenant_004.*", input=text, check=0)
    assert (
        "warning: rule tenant_*.* also covers tables that --only does not name; they stay as they are until: "
        "auditctl apply\n"
    ) in done.err
    second = {name: "update" for name in EVERYTHING if name.startswith("tenant_002")}
    assert captured(conn) == FOURTH | second
    auditctl("check", "-", "--only", "tenant_004.*", input=text, check=0)
    auditctl("check", check=3)
    auditctl("apply", "-", "--only", "tenant_001.*", input=text, check=0)
    assert captured(conn) == EVERYTHING | second
    auditctl("check", check=0)


def test_a_problem_of_a_rule_that_is_not_named_does_not_matter(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    text = file(("tenant_004.*", "create"), ("nowhere.none", "create"), ("tenant_001.nothing", "create"))
    auditctl("apply", "-", "--only", "tenant_004.*", input=text, check=0)
    assert captured(conn).keys() == FOURTH.keys()
    done = auditctl("check", "-", "--only", "tenant_001.*", input=text, check=4)
    assert "there is no table tenant_001.nothing" in done.err
    assert "nowhere" not in done.err


def test_event_types_and_retention_of_a_file_stay_as_they_are(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    text = file(("tenant_004.*", "create")) + '[retention]\nkeep = "1 year"\n[[event]]\nname = "login"\n'
    before = conn.execute("select * from auditctl.retention").fetchall()
    auditctl("apply", "-", "--only", "tenant_004.*", input=text, check=0)
    assert conn.execute("select * from auditctl.retention").fetchall() == before
    assert conn.execute("select count(*) from auditctl.event_type").fetchone() == (0,)


@pytest.mark.parametrize("command", [["plan"], ["check"], ["apply", "--yes"], ["tables"], ["doctor"]])
def test_a_name_that_means_nothing_is_an_error_with_a_hint(db: str, auditctl: RunAuditctl, command: list[str]) -> None:
    assert auditctl(*command, "--only", "tenent_004.*", check=2).err.splitlines() == [
        "error: no table matches tenent_004.*",
        "hint: List the tables with: auditctl tables --all",
    ]
    assert auditctl(*command, "--only", "tenant_004.custmer", check=2).err.splitlines() == [
        "error: there is no table tenant_004.custmer; did you mean tenant_004.customer?",
        "hint: List the tables with: auditctl tables --all",
    ]
    assert auditctl(*command, "--only", "Customer", check=2).err.splitlines() == [
        "error: Customer may mean tenant_001.customer, tenant_002.customer, tenant_004.customer",
        "hint: Write the schema too, or '*.customer'.",
    ]


def test_a_partition_is_looked_at_with_the_table_that_it_belongs_to(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("""
        create table tenant_002.log (id integer primary key) partition by list (id);
        create table tenant_001.log_1 partition of tenant_002.log for values in (1)
    """)
    audit(db, "tenant_*.*", actions=(CREATE,))
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    conn.execute("alter table tenant_001.log_1 disable trigger auditctl_create")
    expected = ["ENABLE  tenant_001.log_1  create  The trigger is disabled.  by rule tenant_*.*"]
    for only in ("tenant_001.log_1", "tenant_002.log"):
        assert auditctl("plan", "--only", only, check=0).out.splitlines() == expected
    assert auditctl("plan", "--only", "tenant_004.*", check=0).out == ""
    auditctl("apply", "--only", "tenant_001.log*", check=0)
    conn.execute("insert into tenant_002.log values (1)")
    assert [event[0] for event in events(conn, "tenant_002.log")] == ["tenant_002.log"]


@pytest.mark.usefixtures("unguarded")
def test_a_dropped_table_is_named_by_what_it_left(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    audit(db, "tenant_001.orders", "tenant_004.*", actions=(CREATE,))
    conn.execute("drop table tenant_001.orders, tenant_004.orders")
    auditctl("check", "--only", "tenant_001.orders", check=4)
    assert auditctl("plan", "--only", "tenant_004.orders", check=0).out == (
        "DROP    auditctl_triggers.tenant_004__orders__create  create  No rule needs the function.\n"
    )
    auditctl("apply", "--only", "tenant_004.orders", check=0)
    assert triggers(conn) == [("tenant_004.customer", "auditctl_create", "A")]


@pytest.mark.usefixtures("unguarded")
def test_doctor_reports_what_is_named(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    audit(db, "tenant_*.*", actions=(CREATE,))
    conn.execute("""
        alter table tenant_001.orders disable trigger auditctl_create;
        drop trigger auditctl_create on tenant_002.orders
    """)
    assert auditctl("doctor", "--only", "tenant_004.*", check=0).err.endswith("nothing found\n")
    for schema, check in (("tenant_001", "trigger_silent"), ("tenant_002", "table_uncaptured")):
        found = json.loads(auditctl("doctor", "--only", f"{schema}.*", "--format", "json", check=3).out)
        assert [row["check"] for row in found] == [check]
