"""Nobody silences his own reads by what a session can set or make, and nobody invents reads of others."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with, running
from tests.support.reading import SALARY, audit_reads, read_count, reads, run

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

SELECT: LiteralString = "select * from salary where id = 1"

SILENCERS: list[LiteralString] = [
    "set row_security = on",
    "set search_path = pg_temp, public",
    "set client_min_messages = error",
    "set plan_cache_mode = force_generic_plan",
    "set auditctl.database_login = 'postgres'",
    "set auditctl.actor = 'bob'",
    "set auditctl.ip = 'not an address'",
    "set auditctl.context = '{\"a\": 1e400000}'",
    "set application_name = 'x'",
    "set default_transaction_isolation = 'serializable'",
    "set statement_timeout = '10s'",
    "set timezone = 'Asia/Kathmandu'",
    "set quote_all_identifiers = on",
    "set bytea_output = escape",
    "set extra_float_digits = -15",
    "set standard_conforming_strings = off",
    "set default_transaction_deferrable = on",
    "set enable_seqscan = off; set enable_material = off; set from_collapse_limit = 1",
    "create temp table read_site (relation regclass, target text); create temp table log_key (mark_key bytea)",
    "create temp table event (like audit_nothing)",
    "set session characteristics as transaction isolation level repeatable read",
]


NOTHING: LiteralString = "; create table audit_nothing (id integer); grant select on audit_nothing to public"
"""A type to make other tables of."""

db_template = begin_with(running(SALARY + NOTHING))


@pytest.mark.parametrize("attempt", SILENCERS)
def test_no_setting_and_no_temporary_object_silences_a_read(
    db: str, conn: psycopg.Connection, login: MakeLogin, attempt: LiteralString
) -> None:
    audit_reads(db, "salary")
    run(login("plain").dsn, attempt, SELECT)
    assert read_count(conn) == 1


def test_the_mark_of_a_recorded_read_cannot_be_set_or_kept(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    plain = login("plain")
    with connect(plain.dsn) as session:
        row = session.execute("select 'auditctl.read_' || 'salary'::regclass::oid").fetchone()
        assert row is not None
        (setting,) = row
        session.execute("begin")
        session.execute(SELECT)
        seen = session.execute("select current_setting(%s)", [setting]).fetchone()
        session.execute("commit")
        assert seen is not None
        assert len(seen[0].partition(" ")[2]) == 64
        session.execute("select set_config(%s, %s, false)", [setting, seen[0]])
        session.execute(SELECT)
        # In one message with the read, where the time of the statement is the same.
        again = sql.SQL("select set_config({}, {}, false); ").format(setting, seen[0])
        session.execute(again + sql.SQL(SELECT))
    assert read_count(conn) == 3


def test_a_read_in_a_read_only_part_of_a_transaction_does_not_hide_one_in_the_rest(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    audit_reads(db, "salary")
    run(
        login("plain").dsn,
        "begin; savepoint a; set transaction read only; select * from salary; release a; select * from salary; commit",
    )
    assert read_count(conn) == 1


def test_row_security_cannot_be_switched_off_by_a_reader(db: str, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    with connect(login("plain").dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("set row_security = off")
        session.execute(SELECT)


def test_a_direct_call_is_at_most_a_claim_of_ones_own(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("create table other (id integer)")
    audit_reads(db, "salary")
    plain = login("plain")
    run(
        plain.dsn,
        "select auditctl.record_read('other'::regclass)",
        "select auditctl.record_read(0::regclass)",
        "select auditctl.record_read(null)",
        "select auditctl.record_read('pg_class'::regclass)",
        "select auditctl.record_read('auditctl.event'::regclass)",
    )
    assert reads(conn) == []
    run(plain.dsn, "select auditctl.record_read('salary'::regclass) from generate_series(1, 1000)")
    assert reads(conn) == [(plain.name, "database", plain.name, "public.salary", None)]


def test_a_direct_call_without_the_privilege_says_so(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    conn.execute("revoke all on salary from public")
    audit_reads(db, "salary")
    plain = login("plain")
    run(plain.dsn, "select auditctl.record_read('salary'::regclass)")
    assert reads(conn) == [(plain.name, "database", plain.name, "public.salary", {"indirect": True})]


def test_a_reader_cannot_call_what_writes_nor_read_the_keys(db: str, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    for made in (
        login("plain"),
        login("app", roles=("auditctl_app",)),
        login("reader", roles=("auditctl_reader", "pg_read_all_data")),
        login("admin", roles=("auditctl_admin",)),
    ):
        with connect(made.dsn) as session:
            for call in (
                "auditctl_internal.insert_read('salary', 'x', null, null, true)",
                "auditctl_internal.register_read('salary', 'salary', 'x', false, false)",
                "auditctl_internal.unregister_read('salary')",
                "auditctl_internal.release_row_security('salary')",
                "auditctl_internal.put_read_policy('salary', false)",
                "auditctl_internal.new_key()",
                "auditctl_internal.query_text()",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(f"select {call}".encode())
            for statement in (
                "delete from auditctl.read_site",
                "update auditctl.read_site set had_row_security = true",
                "insert into auditctl.log_key values ('', '', '')",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement.encode())
            with suppress(psycopg.errors.InsufficientPrivilege):
                assert session.execute("select * from auditctl.log_key").fetchall() == []


def test_a_reader_cannot_touch_the_policies(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    audit_reads(db, "salary")
    with connect(login("plain").dsn) as session:
        for statement in (
            "drop policy auditctl_read on salary",
            "alter policy auditctl_read on salary using (true)",
            "alter table salary disable row level security",
            "create policy x on salary using (true)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())
        session.execute(SELECT)
    assert read_count(conn) == 1
