"""`auditctl doctor` and `check` on a subscriber: what mixes the publisher's log with its own is found.

The rows of the catalog are written here without a publisher; `tests/backup/test_replicated_log.py` has real ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.doctor.model import Finding, Severity
from tests.support.capturing import audit
from tests.support.doctoring import carry_out, found

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


def subscribe(conn: psycopg.Connection, *relations: str) -> None:
    conn.execute(
        "create subscription incoming connection '' publication outgoing "
        "with (connect = false, slot_name = none, enabled = false, create_slot = false)"
    )
    conn.execute("set allow_system_table_mods = on")
    for relation in relations:
        conn.execute(
            "insert into pg_subscription_rel select s.oid, %s::regclass, 'r', null from pg_subscription as s "
            "where s.subname = 'incoming' "
            "and s.subdbid = (select oid from pg_database where datname = current_database())",
            [relation],
        )


def mixed(name: str, problem: str, remedy: str) -> Finding:
    return Finding(
        Severity.WARNING, "log_subscribed", name, f"Logical replication mixes two logs: {problem}.", remedy
    )  # fmt: skip


NUMBERS = mixed(
    "auditctl.event.event_id",
    "events of this server get numbers that events of the publisher have, too",
    "set role auditctl_owner; "
    "alter table auditctl.event alter column event_id set start with 1000000000000000 restart; reset role;",
)


def test_each_way_of_mixing_two_logs_is_found(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("""
        create table item (id integer primary key); create table other (id integer primary key);
        create table part (id integer primary key) partition by range (id);
        create table part_1 partition of part for values from (0) to (9)
    """)
    audit(db, "item", "other", "part")
    subscribe(conn, "item", "part_1", "auditctl.event_default", "auditctl.rule")
    findings = [finding for finding in found(db) if finding.check == "log_subscribed"]
    assert findings == [
        NUMBERS,
        mixed(
            "auditctl.rule",
            "replication writes auditctl.rule, which describes this database and not the publisher's",
            "On the publisher, leave it out of the publication, such as: "
            "alter publication NAME drop table auditctl.rule",
        ),
        *(
            mixed(
                target,
                f"each change of {target} is in the log twice, as its event comes from the publisher and capture here "
                "records it again",
                f"auditctl disable {target}",
            )
            for target in ("public.item", "public.part")
        ),
    ]  # fmt: skip
    checked = auditctl("check", check=3)
    for finding in findings:
        assert finding.meaning.removeprefix("Logical replication mixes two logs: ")[:-1] in checked.err
    carry_out(NUMBERS.remedy, db, auditctl)
    assert NUMBERS not in found(db)


def test_a_subscriber_of_tables_alone_has_no_finding(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create table item (id integer primary key)")
    audit(db, "item")
    subscribe(conn, "item")
    assert [finding for finding in found(db) if finding.check == "log_subscribed"] == []
    auditctl("check", check=0)
