"""`auditctl doctor` on the coverage guard, and on tables that left an audited table in spite of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from auditctl.doctor.model import Finding, Severity
from tests.capture.test_images import events
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.doctoring import carry_out, examine_and_repair, found

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

CRITICAL, WARNING, NOTICE = Severity.CRITICAL, Severity.WARNING, Severity.NOTICE
GUARD = ("auditctl_guard_ddl", "auditctl_guard_drop")

PARTED = """
    create table parted (id int primary key) partition by range (id);
    create table "part ""1"" x" partition of parted for values from (0) to (10)
"""
IMPOSTOR = """
    create function public.nothing() returns event_trigger language plpgsql as $$ begin end $$;
    drop event trigger auditctl_guard_drop;
    create event trigger auditctl_guard_drop on sql_drop execute function public.nothing()
"""


def unguarded(name: str, state: str, remedy: str) -> Finding:
    return Finding(
        WARNING,
        "guard",
        name,
        f"Owners of audited tables can switch their capture off: the event trigger {name}, which prevents it, is "
        f"{state}.",
        remedy,
    )


@pytest.mark.parametrize("name", GUARD)
@pytest.mark.parametrize(
    ("broken", "state", "remedy"),
    [
        ("drop event trigger {}", "missing", "auditctl install"),
        ("alter event trigger {} disable", "switched off", "alter event trigger {} enable always;"),
        (
            "alter event trigger {} enable",
            "silent in some replication modes",
            "alter event trigger {} enable always;",
        ),
    ],
    ids=["gone", "switched off", "silent in replica mode"],
)
def test_a_guard_that_does_not_watch_is_found(
    db: str, auditctl: RunAuditctl, name: str, broken: str, state: str, remedy: str
) -> None:
    def breaks() -> None:
        with connect(db) as conn:
            conn.execute(broken.format(name).encode())

    examine_and_repair(db, breaks, [unguarded(name, state, remedy.format(name))], auditctl)


def test_an_impostor_of_the_guard_is_found_and_makes_way_for_it(db: str, auditctl: RunAuditctl) -> None:
    name = "auditctl_guard_drop"
    before = found(db)
    with connect(db) as conn:
        conn.execute(IMPOSTOR)
    remedy = "drop event trigger auditctl_guard_drop;"
    assert [f for f in found(db) if f not in before] == [unguarded(name, "another one of that name", remedy)]
    carry_out(remedy, db, auditctl)
    assert [f for f in found(db) if f not in before] == [unguarded(name, "missing", "auditctl install")]
    carry_out("auditctl install", db, auditctl)
    assert found(db) == before


def test_a_changed_template_of_capture_functions_is_found(db: str, auditctl: RunAuditctl) -> None:
    examine_and_repair(
        db,
        "update auditctl.template set parts = array['begin return null; end'] where action = 'DELETE'",
        [
            Finding(
                CRITICAL, "template_changed", "auditctl.template DELETE",
                "Events of DELETE may be missing or wrong: auditctl.template DELETE, from which its functions are "
                "made, "
                "was changed.",
                "auditctl install",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_table_that_left_an_audited_table_is_found(db: str, auditctl: RunAuditctl) -> None:
    with connect(db) as conn:
        conn.execute(PARTED)
    audit(db, "public.parted")

    def leave() -> None:
        with connect(db) as conn:
            conn.execute('alter table parted detach partition "part ""1"" x"')

    examine_and_repair(
        db,
        leave,
        [
            Finding(
                CRITICAL, "table_detached", 'public."part ""1"" x"',
                'Writes to public."part ""1"" x" are recorded under public.parted, or not at all: it was a part of '
                "that table, which is audited, and is a table of its own now.",
                "auditctl enable 'public.\"part \"\"1\"\" x\"'",
            )
        ],
        auditctl,
    )  # fmt: skip


@pytest.mark.parametrize("guard", ["enable always", "disable"])
def test_a_child_that_left_is_found_once_and_keeps_its_secrets(db: str, auditctl: RunAuditctl, guard: str) -> None:
    with connect(db) as conn:
        conn.execute("create table a (id int primary key, pin text); create table heir (primary key (id)) inherits (a)")
    audit(db, "public.a", mask=("pin",))
    with connect(db) as conn:
        conn.execute(f"alter event trigger auditctl_guard_ddl {guard}".encode())

    def leave() -> None:
        with connect(db) as conn:
            conn.execute("alter table heir no inherit a")

    examine_and_repair(
        db,
        leave,
        [
            Finding(
                CRITICAL, "table_detached", "public.heir",
                "Writes to public.heir are recorded under public.a, or not at all: it was a part of that table, which "
                "is audited, and is a table of its own now.",
                "auditctl enable public.heir --mask pin",
            )
        ],
        auditctl,
    )  # fmt: skip
    with connect(db) as conn:
        conn.execute("insert into heir values (1, '1234')")
        assert events(conn, "public.heir") == [("CREATE", "1", None, '{"id": 1, "pin": {"$masked": true}}')]


def test_a_table_that_took_over_the_name_of_an_audited_one_is_found(db: str, auditctl: RunAuditctl) -> None:
    with connect(db) as conn:
        conn.execute("create table a (id int primary key, pin text); create table a_new (like a including all)")
    audit(db, "public.a", mask=("pin",))

    def swap() -> None:
        with connect(db) as conn:
            conn.execute("alter table a rename to a_old; alter table a_new rename to a")

    examine_and_repair(
        db,
        swap,
        [
            Finding(
                WARNING, "table_renamed", "public.a",
                "No write to public.a leaves an event: the table that was audited under this name is public.a_old now.",
                "auditctl enable public.a --mask pin",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_table_that_a_search_path_finds_before_an_audited_one_is_found(db: str, auditctl: RunAuditctl) -> None:
    with connect(db) as conn:
        conn.execute("create table a (id int primary key); create schema first; create table public.first (id int)")
        conn.execute("create table first.b (id int primary key); create view first.first as select * from public.first")
    audit(db, "public.a", "public.first")

    def shadow() -> None:
        with connect(db) as conn:
            conn.execute("create table first.a (id int primary key)")
            name = sql.Identifier(conn.info.dbname)
            conn.execute(sql.SQL("alter database {} set search_path = first, public").format(name))

    examine_and_repair(
        db,
        shadow,
        [
            Finding(
                NOTICE, "table_shadowed", "first.a",
                "Everybody may write to first.a, which is not audited, instead of public.a: its schema comes first on "
                "the search path.",
                "auditctl enable first.a",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_table_that_got_its_name_back_may_stop_being_audited(db: str, auditctl: RunAuditctl) -> None:
    with connect(db) as conn:
        conn.execute("create table a (id int primary key)")
    audit(db, "public.a")
    with connect(db) as conn:
        conn.execute("alter table a rename to b; alter table b rename to a")
    auditctl("disable", "public.a", check=0)
    assert [finding for finding in found(db) if finding.check == "table_renamed"] == []
