"""Rules for many tables: which rule covers a table, and what enable and disable make of overlapping globs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import database
from auditctl.actions import DEFAULT, Action
from auditctl.capture import apply as capture_apply
from auditctl.capture import rule_store
from auditctl.errors import ConfigurationError
from tests.fixtures.databases import prepared
from tests.support.capturing import apply, audit, events, pending, plan
from tests.support.tenants import EVERYTHING, captured, file, make_tenants, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

CREATE, UPDATE, DELETE, TRUNCATE = DEFAULT


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    with prepared(server, template, make_tenants) as name:
        yield name


def test_enable_puts_a_glob_before_every_wider_one_and_says_so(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "tenant_*.*", actions=(CREATE,))
    done = auditctl("enable", "tenant_004.*", check=0)
    assert done.err.splitlines()[-1] == (
        "2 tables, such as tenant_004.customer, are audited by rule tenant_004.*, which comes before tenant_*.*."
    )
    assert [name for name, *_ in stored(conn)] == ["tenant_004.*", "tenant_*.*"]
    fourth = {name: actions for name, actions in EVERYTHING.items() if name.startswith("tenant_004")}
    assert captured(conn) == dict.fromkeys(EVERYTHING, "create") | fourth
    assert pending(db) == []
    changed = [(action, key) for _, action, key, *_ in events(conn, "auditctl.rule")]
    assert changed == [("CREATE", "tenant_*.*"), ("CREATE", "tenant_004.*")]


def test_what_is_enabled_under_a_glob_that_leaves_it_out_is_audited(db: str, conn: psycopg.Connection) -> None:
    apply(db, file(("tenant_*.*",), ("*.*", "create")))
    audit(db, "tenant_004.*")
    assert captured(conn) == {name: all_ for name, all_ in EVERYTHING.items() if name.startswith("tenant_004")}
    audit(db, "tenant_001.customer")
    assert captured(conn).keys() == {"tenant_001.customer", "tenant_004.customer", "tenant_004.orders"}
    assert pending(db) == []


def test_enable_of_a_glob_that_is_stored_behind_a_wider_one_moves_it_before_that(
    db: str, conn: psycopg.Connection
) -> None:
    apply(db, file(("tenant_*.*", "create"), ("tenant_004.*", "create", "update", "delete")))
    assert captured(conn) == dict.fromkeys(EVERYTHING, "create")
    audit(db, "tenant_004.*")
    assert captured(conn)["tenant_004.customer"] == "create update delete"
    assert pending(db) == []


def test_enable_of_a_wider_glob_leaves_narrower_rules_alone_and_warns_of_what_they_leave_out(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "tenant_002.*", actions=(UPDATE,))
    audit(db, "tenant_001.orders", actions=(DELETE,))
    apply(db, file(("tenant_004.customer",), ("tenant_002.*", "update"), ("tenant_001.orders", "delete")))
    done = auditctl("enable", "tenant_*.*", check=0)
    assert [line for line in done.err.splitlines() if "captures" not in line] == [
        "2 tables, such as tenant_001.customer, are audited by rule tenant_*.*.",
        "warning: tenant_001.orders is audited by its own rule, which comes before tenant_*.*.",
        "warning: 2 tables, such as tenant_002.customer, are audited by rule tenant_002.*, which comes before "
        "tenant_*.*.",
        "warning: tenant_004.customer is left out by its own rule, which comes before tenant_*.*.",
    ]
    assert captured(conn) == {
        "tenant_001.customer": "create update delete",
        "tenant_001.orders": "delete",
        "tenant_002.customer": "update",
        "tenant_002.orders": "update",
        "tenant_004.orders": "create update delete",
    }


def test_enable_of_a_glob_across_others_keeps_those_within_it_in_force(db: str, conn: psycopg.Connection) -> None:
    audit(db, "*.orders", actions=(CREATE,))
    audit(db, "tenant_00[12].*", actions=(UPDATE,))
    audit(db, "tenant_*.*", actions=(DELETE,))
    assert [name for name, *_ in stored(conn)] == ["tenant_00[12].*", "tenant_*.*", "*.orders"]
    assert captured(conn)["tenant_001.orders"] == "update"
    assert captured(conn)["tenant_004.orders"] == "delete"
    assert pending(db) == []


def test_disable_of_a_glob_takes_out_what_it_names_whatever_rule_covers_it(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "tenant_002.customer", mask=("v",))
    audit(db, "tenant_*.*", "*.orders")
    done = auditctl("disable", "tenant_002.*", check=0)
    assert done.err.splitlines()[-1] == (
        "2 tables, such as tenant_002.customer, are left out by rule tenant_002.*, which comes before tenant_*.*."
        if "*.orders" not in done.err
        else "tenant_002.orders is left out by rule tenant_002.*, which comes before *.orders, tenant_*.*."
    )
    assert [row for row in stored(conn) if row[0] == "tenant_002.*"] == [("tenant_002.*",)]
    assert captured(conn) == {name: all_ for name, all_ in EVERYTHING.items() if not name.startswith("tenant_002")}
    assert pending(db) == []
    conn.execute("create table tenant_002.later (id integer)")
    assert pending(db) == []
    again = auditctl("disable", "tenant_002.*", check=4)
    assert again.err.startswith("error: TABLE: tenant_002.* is not audited\n")
    audit(db, "tenant_002.*")
    assert captured(conn) == EVERYTHING


def test_disable_of_a_glob_across_others_takes_out_only_what_it_names(db: str, conn: psycopg.Connection) -> None:
    audit(db, "tenant_001.*", "tenant_002.*")
    with database.connect(db) as session:
        capture_apply.disable(session, "*.orders")
    assert captured(conn).keys() == {"tenant_001.customer", "tenant_002.customer"}
    assert stored(conn)[0] == ("*.orders",)
    assert pending(db) == []


def test_disable_of_some_actions_of_a_glob_keeps_the_others(db: str, conn: psycopg.Connection) -> None:
    audit(db, "tenant_*.*", mask=("v",))
    audit(db, "tenant_002.orders", actions=(CREATE, DELETE))
    with database.connect(db) as session:
        capture_apply.disable(session, "tenant_002.*", (CREATE, TRUNCATE))
        capture_apply.disable(session, "*.orders", (UPDATE,))
    rest = {"tenant_001.orders": "create delete", "tenant_004.orders": "create delete"}
    second = {"tenant_002.customer": "update delete", "tenant_002.orders": "delete"}
    assert captured(conn) == EVERYTHING | rest | second
    # The new rules state no mask, and so go on taking that of the glob that they are exceptions from.
    assert {rule.name for rule in rule_store.read(conn) if rule.mask} == {"tenant_*.*"}
    masked = {target for (target,) in conn.execute("select target from auditctl.capture where mask = '{v}'")}
    assert {"tenant_001.orders", "tenant_002.customer", "tenant_004.orders"} <= masked
    assert pending(db) == []


def test_disable_of_an_action_that_no_rule_has_stores_no_rule(db: str, conn: psycopg.Connection) -> None:
    audit(db, "tenant_*.*", actions=(CREATE,))
    before = stored(conn)
    with database.connect(db) as session:
        for name in ("tenant_002.*", "*.orders", "tenant_002.orders"):
            capture_apply.disable(session, name, (Action.READ, UPDATE))
    assert stored(conn) == before


def test_disable_of_a_glob_that_names_nothing_audited_is_refused(db: str, conn: psycopg.Connection) -> None:
    audit(db, "tenant_001.*")
    for name in ("tenant_002.*", "tenent_*.*", "tenant_002.orders"):
        with database.connect(db) as session, pytest.raises(ConfigurationError, match="is not audited"):
            capture_apply.disable(session, name)
    assert stored(conn) == [("tenant_001.*", "create", "update", "delete", "truncate")]


def test_a_rule_of_a_file_that_an_earlier_one_hides_is_a_warning_with_an_example(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    text = file(
        ("tenant_004.*", "create"),
        ("tenant_*.*", "create"),
        ("tenant_002.*", "create", "update"),
        ("*.orders", "delete"),
        ("nowhere.*", "create"),
        ("nowhere.x*", "delete"),
    )
    warnings = [
        "warning: stdin: table[4].name: no table matches nowhere.* yet",
        "warning: stdin: table[5].name: no table matches nowhere.x* yet",
        "warning: rule tenant_002.* has no effect: rule tenant_*.*, which comes first, covers all that it matches, "
        "such as tenant_002.customer",
        "warning: rule tenant_*.*, which comes first, covers 2 of the 3 tables that rule *.orders matches, such as "
        "tenant_001.orders",
        "warning: rule tenant_004.*, which comes first, covers 1 of the 3 tables that rule *.orders matches, such as "
        "tenant_004.orders",
        "warning: rule nowhere.x* has no effect: rule nowhere.*, which comes first, covers all that it matches",
    ]
    for command, code in (("plan", 0), ("check", 3), ("apply", 0)):
        done = auditctl(command, "-", input=text, check=code)
        assert [line for line in done.err.splitlines() if line.startswith("warning: ")] == warnings
    assert captured(conn) == dict.fromkeys(EVERYTHING, "create")
    assert [name for name, *_ in stored(conn)][-1] == "nowhere.x*"


def test_a_file_with_exceptions_before_the_general_rule_has_no_warning(db: str) -> None:
    text = file(("tenant_004.*", "create"), ("tenant_*.*", "create"), ("*.*", "delete"), ("tenant_001.orders",))
    assert plan(db, text).warnings == ()


def test_enable_of_a_glob_that_matches_nothing_yet_is_stored_with_a_warning(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    done = auditctl("enable", "tenant_009.*", check=0)
    assert done.err.splitlines() == [
        "warning: TABLE: no table matches tenant_009.* yet",
        "No trigger had to change; the rule is stored.",
    ]
    conn.execute("create schema tenant_009; create table tenant_009.a (id integer primary key)")
    assert pending(db) == []
    conn.execute("insert into tenant_009.a values (1)")
    assert conn.execute(
        "select target from auditctl.activity where action = 'CREATE' and target ^@ 'tenant'"
    ).fetchall() == [("tenant_009.a",)]


def test_a_glob_in_other_case_means_the_tables_that_it_matches_in_lower_case(db: str, conn: psycopg.Connection) -> None:
    audit(db, "Tenant_004.Cust*")
    assert captured(conn).keys() == {"tenant_004.customer"}


def test_plans_and_tables_say_which_rule_covers_each_table_and_why(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    audit(db, "tenant_*.*", "tenant_004.*", actions=(CREATE,))
    audit(db, "tenant_001.customer", actions=(CREATE,))
    with database.connect(db) as session:
        capture_apply.disable(session, "tenant_002.*")
    rows = {row["table"]: row for row in json.loads(auditctl("tables", "--all", "--format", "json", check=0).out)}
    assert {name: (row["rule"], row["why"]) for name, row in rows.items()} == {
        "tenant_001.customer": ("tenant_001.customer", "its own rule, which comes before tenant_*.*"),
        "tenant_001.orders": ("tenant_*.*", "rule tenant_*.*"),
        "tenant_002.customer": ("tenant_002.*", "left out by rule tenant_002.*, which comes before tenant_*.*"),
        "tenant_002.orders": ("tenant_002.*", "left out by rule tenant_002.*, which comes before tenant_*.*"),
        "tenant_004.customer": ("tenant_004.*", "rule tenant_004.*, which comes before tenant_*.*"),
        "tenant_004.orders": ("tenant_004.*", "rule tenant_004.*, which comes before tenant_*.*"),
    }
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    conn.execute("alter table tenant_004.orders disable trigger auditctl_create")
    assert auditctl("plan", check=0).out == (
        "ENABLE  tenant_004.orders  create  The trigger is disabled.  by rule tenant_004.*, which comes before "
        "tenant_*.*\n"
    )


def test_a_partition_that_another_glob_matches_is_audited_by_itself_when_its_parent_is_taken_out(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("""
        create table tenant_002.log (id integer) partition by list (id);
        create table tenant_001.log_1 partition of tenant_002.log for values in (1)
    """)
    audit(db, "tenant_*.*")
    with database.connect(db) as session:
        capture_apply.disable(session, "tenant_002.*")
    assert pending(db) == []
    conn.execute("insert into tenant_002.log values (1)")
    assert [event[0] for event in events(conn, "tenant_002.log", "tenant_001.log_1")] == ["tenant_001.log_1"]
