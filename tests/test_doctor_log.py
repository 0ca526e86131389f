"""`auditctl doctor` on the log itself: whatever may change it, or keep events out of it, is found and mended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.doctor.check import Finding, Severity
from tests.doctoring import carry_out, examine_and_mend, found
from tests.fixtures.databases import connect
from tests.recorded import Recorded, record
from tests.schema import describe
from tests.test_partition_months import month

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
THIS = f"audit.event_{month(0):%Y_%m}"
NEXT = f"audit.event_{month(1):%Y_%m}"
LAST = f"audit.event_{month(3):%Y_%m}"

STRANGER = """
    create function public.swallow() returns trigger language plpgsql as $$ begin return null; end $$;
"""


def unguarded(relation: str, drops: str = "") -> Finding:
    return Finding(
        CRITICAL,
        "write_once",
        relation,
        f"Events in {relation} can be changed and removed, and may have been: its write-once guard is missing or off.",
        f"set role audit_owner; {drops}select audit.guard_partition('{relation}'); reset role;",
    )


ALL = [f"audit.event_{month(n):%Y_%m}" for n in range(4)]

CASES: dict[str, tuple[str, list[Finding]]] = {
    "guard of a partition switched off": (
        f"alter table {THIS} disable trigger event_write_once_row",
        [unguarded(THIS)],
    ),
    "guard of the log gone, and so those of its partitions": (
        "drop trigger event_write_once_row on audit.event",
        [unguarded(relation) for relation in ("audit.event", *ALL, "audit.event_default")],
    ),
    "guard of statements silent in replica mode": (
        f"alter table {NEXT} enable trigger event_write_once_statement",
        [unguarded(NEXT)],
    ),
    "guard that calls something else": (
        f"{STRANGER} drop trigger event_write_once_statement on {THIS}; create trigger event_write_once_statement "
        f"before update or delete or truncate on {THIS} for each statement execute function public.swallow(); "
        f"alter table {THIS} enable always trigger event_write_once_statement",
        [
            Finding(
                CRITICAL, "log_trigger", f"event_write_once_statement on {THIS}",
                "Events may be changed or swallowed as they are written: the trigger event_write_once_statement on "
                f"{THIS} is not auditctl's.",
                f"set role audit_owner; drop trigger if exists event_write_once_statement on {THIS}; reset role;",
            ),
            unguarded(THIS, f"drop trigger if exists event_write_once_statement on {THIS}; "),
        ],
    ),
    "trigger on the log": (
        f"{STRANGER} create trigger swallow before insert on audit.event for each row execute function "
        f"public.swallow()",
        [
            Finding(
                CRITICAL, "log_trigger", "swallow on audit.event",
                "Events may be changed or swallowed as they are written: the trigger swallow on audit.event is not "
                "auditctl's.",
                "set role audit_owner; drop trigger if exists swallow on audit.event; reset role;",
            )
        ],
    ),
    "rule on the log": (
        "create rule nothing as on insert to audit.event_default do instead nothing",
        [
            Finding(
                CRITICAL, "log_rule", "nothing on audit.event_default",
                "Events may be changed or swallowed as they are written: the rule nothing on audit.event_default is "
                "not "
                "auditctl's.",
                "set role audit_owner; drop rule nothing on audit.event_default; reset role;",
            )
        ],
    ),
    "rules changed without an event": (
        "drop trigger rule_recorded on audit.rule",
        [
            Finding(
                WARNING, "rule_unrecorded", "audit.rule",
                "What audit.rule says can be changed without an event: the trigger that records it is missing or off.",
                "set role audit_owner; create or replace trigger rule_recorded after insert or update or delete on "
                "audit.rule for each row execute function audit.record_rule(); "
                "alter table audit.rule enable always trigger rule_recorded; reset role;",
            )
        ],
    ),
    "event type unrecorded": (
        "alter table audit.event_type disable trigger event_type_recorded",
        [
            Finding(
                WARNING, "rule_unrecorded", "audit.event_type",
                "What audit.event_type says can be changed without an event: the trigger that records it is missing or "
                "off.",
                "set role audit_owner; alter table audit.event_type enable always trigger event_type_recorded; "
                "reset role;",
            )
        ],
    ),
    "month taken off": (
        f"alter table audit.event detach partition {LAST}",
        [
            Finding(
                CRITICAL, "log_detached", LAST,
                f"The events in {LAST} are missing from the log: the table was detached from it.",
                f"set role audit_owner; alter table audit.event attach partition {LAST} for values from "
                f"('{month(3)}T00:00:00+00') to ('{month(4)}T00:00:00+00'); "
                f"select audit.guard_partition('{LAST}'); reset role;",
            )
        ],
    ),
    "month without a partition": (
        f"drop table {LAST}",
        [
            Finding(
                WARNING, "log_months", LAST,
                f"Events of {month(3):%Y-%m} will be written to the DEFAULT partition, and have to be moved later.",
                "auditctl maintain",
            )
        ],
    ),
    "privileges on the log": (
        "grant select, insert, update (actor) on audit.event to audit_app; grant usage on sequence "
        "audit.event_event_id_seq to public",
        [
            Finding(
                WARNING, "log_writable", "audit.event by audit_app",
                "audit.event is open to audit_app, by the privilege to insert, update.",
                "set role audit_owner; revoke insert, update on table audit.event from audit_app cascade; reset role;",
            ),
            Finding(
                WARNING, "log_writable", "audit.event_event_id_seq by everybody",
                "audit.event_event_id_seq is open to everybody, by the privilege to usage.",
                "set role audit_owner; revoke usage on sequence audit.event_event_id_seq from public cascade; reset "
                "role;",
            ),
        ],
    ),
    "privilege to create": (
        "grant create, usage on schema audit_triggers to audit_app",
        [
            Finding(
                WARNING, "schema_writable", "audit_triggers by audit_app",
                "audit_app has the privilege create, usage on schema audit_triggers, and could use what capture uses, "
                "or take its place.",
                "set role audit_owner; revoke create, usage on schema audit_triggers from audit_app cascade; "
                "reset role;",
            )
        ],
    ),
    "default privileges": (
        "alter default privileges for role audit_owner in schema audit grant insert on tables to audit_app; "
        "alter default privileges for role audit_owner grant execute on functions to audit_app",
        [
            Finding(
                WARNING, "default_privileges", "functions for audit_app",
                "The next functions of the store will be open to audit_app: it has default privileges on them.",
                "alter default privileges for role audit_owner revoke all on functions from audit_app cascade;",
            ),
            Finding(
                WARNING, "default_privileges", "tables for audit_app",
                "The next tables of the store will be open to audit_app: it has default privileges on them.",
                "alter default privileges for role audit_owner in schema audit revoke all on tables from audit_app "
                "cascade;",
            ),
        ],
    ),
    "row security switched off": (
        f"alter table {THIS} disable row level security",
        [
            Finding(
                WARNING, "log_row_security", THIS,
                f"A member of pg_write_all_data can write to {THIS}: its row security is off.",
                f"set role audit_owner; alter table {THIS} enable row level security; reset role;",
            )
        ],
    ),
    "policy for writing": (
        "create policy open on audit.rule for insert with check (true)",
        [
            Finding(
                WARNING, "log_policy", "open on audit.rule",
                "A member of pg_write_all_data can write to audit.rule: the policy open allows it.",
                "set role audit_owner; drop policy open on audit.rule; reset role;",
            )
        ],
    ),
    "owner of a function": (
        "alter function audit.identify() owner to postgres; alter table audit.rename owner to postgres",
        [
            Finding(
                CRITICAL, "owner_changed", "audit.rename",
                "postgres owns the table audit.rename, and can change what it does and holds.",
                "alter table audit.rename owner to audit_owner;",
            ),
            Finding(
                CRITICAL, "owner_changed", "audit.identify()",
                "postgres owns the routine audit.identify(), and can change what it does and holds.",
                "alter routine audit.identify() owner to audit_owner;",
            ),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_the_log_is_found_and_mended(db: str, auditctl: RunAuditctl, case: str) -> None:
    broken, expected = CASES[case]
    examine_and_mend(db, broken, expected, auditctl)


@pytest.mark.usefixtures("template")
def test_the_login_that_installed_can_carry_the_remedies_out(
    empty_db: str, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    dba = login("dba", dsn=empty_db, attributes="createrole")
    with connect(empty_db) as conn:
        database = conn.info.dbname
        conn.execute(f"grant create on database {database} to {dba.name}".encode())
        for role in ("audit_owner", "audit_admin"):
            conn.execute(f"grant {role} to {dba.name}".encode())
    auditctl("install", dsn=dba.dsn, check=0)
    broken, expected = CASES["guard of a partition switched off"]

    def breaks() -> None:
        with connect(empty_db) as conn:
            conn.execute(broken.encode())

    examine_and_mend(empty_db, breaks, expected, auditctl, by=dba.dsn)


def test_events_in_the_default_partition_are_moved_and_none_is_lost_or_changed(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    found(db)
    whole = describe(conn)
    times = [datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2031, 12, 31, 23, 59, 59, tzinfo=UTC)]
    record(conn, *(Recorded(at=time) for time in (*times, datetime.now(UTC))))
    all_others = "select event, event.salt from audit.event where target <> 'audit.partition' order by event_id"
    events = conn.execute(all_others.encode()).fetchall()
    conn.execute(b"alter table audit.event_default add constraint x check (true) no inherit")
    conn.execute(b"alter table audit.event_default drop constraint x")
    remedy = "auditctl maintain"
    stray = [finding for finding in found(db) if finding.check == "log_default_rows"]
    assert stray == [
        Finding(
            WARNING, "log_default_rows", "audit.event_default",
            "Events of 2001-02, 2031-12 were written while those months had no partition, and none can be made until "
            "they "
            "are moved.",
            remedy,
        )
    ]  # fmt: skip
    carry_out(remedy, db, auditctl)
    assert [finding for finding in found(db) if finding.check == "log_default_rows"] == []
    assert conn.execute(all_others.encode()).fetchall() == events
    conn.execute("alter table audit.event detach partition audit.event_2001_02; drop table audit.event_2001_02")
    conn.execute("alter table audit.event detach partition audit.event_2031_12; drop table audit.event_2031_12")
    assert describe(conn) == whole
