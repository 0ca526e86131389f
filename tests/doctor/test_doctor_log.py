"""`auditctl doctor` on the log itself: whatever may change it, or keep events out of it, is found and repaired."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect
from tests.log.test_partition_months import month
from tests.support.doctoring import carry_out, examine_and_repair, found
from tests.support.recorded import Recorded, record
from tests.support.schema import describe

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
THIS, NEXT, LAST = (f"auditctl.event_{month(n):%Y_%m}" for n in (0, 1, 3))

STRANGER = """
    create function public.swallow() returns trigger language plpgsql as $$ begin return null; end $$;
"""


def unguarded(relation: str, drops: str = "") -> Finding:
    return Finding(
        CRITICAL,
        "write_once",
        relation,
        f"Events in {relation} can be changed and removed, and may have been: its write-once guard is missing or off.",
        f"set role auditctl_owner; {drops}select auditctl_internal.guard_partition('{relation}'); reset role;",
    )


ALL = [f"auditctl.event_{month(n):%Y_%m}" for n in range(4)]

CASES: dict[str, tuple[str, list[Finding]]] = {
    "guard of a partition switched off": (
        f"alter table {THIS} disable trigger event_write_once_row",
        [unguarded(THIS)],
    ),
    "guard of the log gone, and so those of its partitions": (
        "drop trigger event_write_once_row on auditctl.event",
        [unguarded(relation) for relation in ("auditctl.event", *ALL, "auditctl.event_default")],
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
                f"set role auditctl_owner; drop trigger if exists event_write_once_statement on {THIS}; reset role;",
            ),
            unguarded(THIS, f"drop trigger if exists event_write_once_statement on {THIS}; "),
        ],
    ),
    "trigger on the log": (
        f"{STRANGER} create trigger swallow before insert on auditctl.event for each row execute function "
        f"public.swallow()",
        [
            Finding(
                CRITICAL, "log_trigger", "swallow on auditctl.event",
                "Events may be changed or swallowed as they are written: the trigger swallow on auditctl.event is not "
                "auditctl's.",
                "set role auditctl_owner; drop trigger if exists swallow on auditctl.event; reset role;",
            )
        ],
    ),
    "rule on the log": (
        "create rule nothing as on insert to auditctl.event_default do instead nothing",
        [
            Finding(
                CRITICAL, "log_rule", "nothing on auditctl.event_default",
                "Events may be changed or swallowed as they are written: the rule nothing on auditctl.event_default is "
                "not "
                "auditctl's.",
                "set role auditctl_owner; drop rule nothing on auditctl.event_default; reset role;",
            )
        ],
    ),
    "rules changed without an event": (
        "drop trigger rule_recorded on auditctl.rule",
        [
            Finding(
                WARNING, "rule_unrecorded", "auditctl.rule",
                "What auditctl.rule says can be changed without an event: the trigger that records it is missing or "
                "off.",
                "set role auditctl_owner; create or replace trigger rule_recorded after insert or update or delete on "
                "auditctl.rule for each row execute function auditctl_internal.record_rule(); "
                "alter table auditctl.rule enable always trigger rule_recorded; reset role;",
            )
        ],
    ),
    "event type unrecorded": (
        "alter table auditctl.event_type disable trigger event_type_recorded",
        [
            Finding(
                WARNING, "rule_unrecorded", "auditctl.event_type",
                "What auditctl.event_type says can be changed without an event: the trigger that records it is "
                "missing or "
                "off.",
                "set role auditctl_owner; alter table auditctl.event_type enable always trigger event_type_recorded; "
                "reset role;",
            )
        ],
    ),
    "month taken off": (
        f"alter table auditctl.event detach partition {LAST}",
        [
            Finding(
                CRITICAL, "log_detached", LAST,
                f"The events in {LAST} are missing from the log: the table was detached from it.",
                f"set role auditctl_owner; alter table auditctl.event attach partition {LAST} for values from "
                f"('{month(3)}T00:00:00+00') to ('{month(4)}T00:00:00+00'); "
                f"select auditctl_internal.guard_partition('{LAST}'); reset role;",
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
        "grant select, insert, update (actor) on auditctl.event to auditctl_app; grant usage on sequence "
        "auditctl.event_event_id_seq to public",
        [
            Finding(
                WARNING, "log_writable", "auditctl.event by auditctl_app",
                "auditctl.event is open to auditctl_app, by these privileges: insert, update.",
                "set role auditctl_owner; revoke insert, update on table auditctl.event from auditctl_app cascade; "
                "reset role;",
            ),
            Finding(
                WARNING, "log_writable", "auditctl.event_event_id_seq by everybody",
                "auditctl.event_event_id_seq is open to everybody, by these privileges: usage.",
                "set role auditctl_owner; revoke usage on sequence auditctl.event_event_id_seq from public cascade; "
                "reset "
                "role;",
            ),
        ],
    ),
    "privilege to create": (
        "grant create, usage on schema auditctl_triggers to auditctl_app",
        [
            Finding(
                WARNING, "schema_writable", "auditctl_triggers by auditctl_app",
                "auditctl_app has the privilege create, usage on schema auditctl_triggers, and could use what "
                "capture uses, "
                "or take its place.",
                "set role auditctl_owner; revoke create, usage on schema auditctl_triggers from auditctl_app cascade; "
                "reset role;",
            )
        ],
    ),
    "default privileges": (
        "alter default privileges for role auditctl_owner in schema auditctl grant insert on tables to auditctl_app; "
        "alter default privileges for role auditctl_owner grant execute on functions to auditctl_app",
        [
            Finding(
                WARNING, "default_privileges", "functions for auditctl_app",
                "The next functions of the store will be open to auditctl_app: it has default privileges on them.",
                "alter default privileges for role auditctl_owner revoke all on functions from auditctl_app cascade;",
            ),
            Finding(
                WARNING, "default_privileges", "tables for auditctl_app",
                "The next tables of the store will be open to auditctl_app: it has default privileges on them.",
                "alter default privileges for role auditctl_owner in schema auditctl revoke all on tables from "
                "auditctl_app "
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
                f"set role auditctl_owner; alter table {THIS} enable row level security; reset role;",
            )
        ],
    ),
    "policy for writing": (
        "create policy open on auditctl.rule for insert with check (true)",
        [
            Finding(
                WARNING, "log_policy", "open on auditctl.rule",
                "A member of pg_write_all_data can write to auditctl.rule: the policy open allows it.",
                "set role auditctl_owner; drop policy open on auditctl.rule; reset role;",
            )
        ],
    ),
    "source of actors": (
        "insert into auditctl.actor_source (name, position, setting, path) values ('app.user', 1, 'app.user', '{}')",
        [
            Finding(
                WARNING, "actor_sources", "auditctl_internal.claimed_actor()",
                "Somebody changed auditctl_internal.claimed_actor() or auditctl.actor_source: the log may name whom an "
                "unknown setting names.",
                "auditctl install",
            )
        ],
    ),
    "owner of a function": (
        "alter function auditctl_internal.identify() owner to postgres; alter table auditctl.rename owner to postgres",
        [
            Finding(
                CRITICAL, "owner_changed", "auditctl.rename",
                "postgres owns the table auditctl.rename, and can change what it does and holds.",
                "alter table auditctl.rename owner to auditctl_owner;",
            ),
            Finding(
                CRITICAL, "owner_changed", "auditctl_internal.identify()",
                "postgres owns the routine auditctl_internal.identify(), and can change what it does and holds.",
                "alter routine auditctl_internal.identify() owner to auditctl_owner;",
            ),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_the_log_is_found_and_repaired(db: str, auditctl: RunAuditctl, case: str) -> None:
    broken, expected = CASES[case]
    examine_and_repair(db, broken, expected, auditctl)


@pytest.mark.usefixtures("template")
def test_the_login_that_installed_can_carry_the_remedies_out(
    empty_db: str, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    dba = login("dba", dsn=empty_db, attributes="createrole")
    with connect(empty_db) as conn:
        database = conn.info.dbname
        conn.execute(f"grant create on database {database} to {dba.name}".encode())
        for role in ("auditctl_owner", "auditctl_admin"):
            conn.execute(f"grant {role} to {dba.name}".encode())
    auditctl("install", dsn=dba.dsn, check=0)
    broken, expected = CASES["guard of a partition switched off"]

    def breaks() -> None:
        with connect(empty_db) as conn:
            conn.execute(broken.encode())

    examine_and_repair(empty_db, breaks, expected, auditctl, by=dba.dsn)


def test_events_in_the_default_partition_are_moved_and_none_is_lost_or_changed(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    found(db)
    whole = describe(conn)
    times = [datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2031, 12, 31, 23, 59, 59, tzinfo=UTC)]
    record(conn, *(Recorded(at=time) for time in (*times, datetime.now(UTC))))
    all_others = "select event from auditctl.event where target <> 'auditctl.partition' order by event_id"
    events = conn.execute(all_others.encode()).fetchall()
    conn.execute(b"alter table auditctl.event_default add constraint x check (true) no inherit")
    conn.execute(b"alter table auditctl.event_default drop constraint x")
    remedy = "auditctl maintain"
    stray = [finding for finding in found(db) if finding.check == "log_default_rows"]
    assert stray == [
        Finding(
            WARNING, "log_default_rows", "auditctl.event_default",
            "Events of 2001-02, 2031-12 were written while those months had no partition, and none can be made until "
            "they "
            "are moved.",
            remedy,
        )
    ]  # fmt: skip
    carry_out(remedy, db, auditctl)
    assert [finding for finding in found(db) if finding.check == "log_default_rows"] == []
    assert conn.execute(all_others.encode()).fetchall() == events
    conn.execute(
        "alter table auditctl.event detach partition auditctl.event_2001_02; drop table auditctl.event_2001_02"
    )
    conn.execute(
        "alter table auditctl.event detach partition auditctl.event_2031_12; drop table auditctl.event_2031_12"
    )
    assert describe(conn) == whole
