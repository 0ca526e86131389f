"""Accepted findings are shown apart, do not count, and are recorded; altered capture cannot be accepted."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from auditctl import database
from auditctl.capture.accepted import Acceptance
from auditctl.doctor import acceptance
from auditctl.doctor.examine import examine
from auditctl.doctor.model import Finding, Severity
from auditctl.doctor.registry import CHECKS
from tests.fixtures.templates import begin_with, running
from tests.support.capturing import audit, pending

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

TABLES = '[[table]]\nname = "legacy.*"\n'
ACCEPT = """
[[doctor.accept]]
check = "table_keyless"
object = "legacy.*"
reason = "imported once"
"""


db_template = begin_with(
    running("create schema legacy; create table legacy.a (v text); create table legacy.b (v text)")
)


def keyless(auditctl: RunAuditctl) -> list[tuple[str, Any]]:
    """Object, and what says that it is accepted, of each table without a key."""
    rows = json.loads(auditctl("doctor", "--format", "json").out)
    return [(row["object"], row["accepted"]) for row in rows if row["check"] == "table_keyless"]


def test_an_accepted_finding_is_shown_apart_and_does_not_count(db: str, auditctl: RunAuditctl, admin: Client) -> None:
    auditctl("apply", "--yes", "-", input=TABLES, check=0)
    assert keyless(auditctl) == [("legacy.a", None), ("legacy.b", None)]
    one = ACCEPT.replace("legacy.*", "legacy.a").replace("once", "last year") + "until = 2999-12-31\n"
    auditctl("apply", "--yes", "-", input=TABLES + one, check=0)
    by = {"reason": "imported last year", "until": "2999-12-31", "by": "postgres"}
    assert keyless(auditctl) == [("legacy.b", None), ("legacy.a", by)]
    assert "Accepted, and not counted:" in auditctl("doctor", check=3).out
    auditctl("apply", "--yes", "-", input=TABLES + ACCEPT, check=0)
    assert "apart from 2 accepted findings" in auditctl("doctor", "--only", "legacy.*", check=0).err
    text = admin.get("/doctor").text
    assert "Accepted" in text
    assert "imported once" in text


def test_plans_warn_of_no_table_whose_missing_key_is_accepted(db: str, auditctl: RunAuditctl) -> None:
    assert "warning: 2 tables have no key" in auditctl("plan", "-", input=TABLES, check=0).err
    one = ACCEPT.replace("legacy.*", "legacy.a")
    assert "warning: legacy.b has no key" in auditctl("plan", "-", input=TABLES + one, check=0).err
    expired = ACCEPT + "until = 2020-01-01\n"
    assert "warning: 2 tables have no key" in auditctl("plan", "-", input=TABLES + expired, check=0).err
    assert "warning" not in auditctl("apply", "--yes", "-", input=TABLES + ACCEPT, check=0).err
    # What the database accepts counts where a command says nothing of it.
    assert auditctl("check", check=0).err == ""
    assert "warning" not in auditctl("enable", "legacy.a", check=0).err


def test_a_file_states_what_is_accepted_and_config_prints_it(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    shown = auditctl("plan", "-", input=TABLES + ACCEPT, check=0).out
    assert "CREATE  finding table_keyless legacy.*  The file accepts it: imported once\n" in shown
    auditctl("apply", "--yes", "-", input=TABLES + ACCEPT, check=0)
    printed = auditctl("config", check=0).out
    assert printed.endswith(ACCEPT)
    assert pending(db, printed) == []
    # A file that says nothing of it leaves it, one with an empty list takes it back.
    assert pending(db, TABLES) == []
    auditctl("apply", "--yes", "-", input=TABLES + ACCEPT.replace("imported once", "read only"), check=0)
    auditctl("apply", "--yes", "-", input=TABLES + "[doctor]\naccept = []\n", check=0)
    assert keyless(auditctl) == [("legacy.a", None), ("legacy.b", None)]
    events = conn.execute("""
        select action::text, target_id, old_values ->> 'reason', new_values ->> 'reason'
          from auditctl.event where target = 'auditctl.accepted_finding' order by event_id
    """).fetchall()
    assert events == [
        ("CREATE", "table_keyless legacy.*", None, "imported once"),
        ("UPDATE", "table_keyless legacy.*", "imported once", "read only"),
        ("DELETE", "table_keyless legacy.*", "read only", None),
    ]


MISTAKES = [
    (
        'check = "table_keyles"\nobject = "a"\nreason = "r"',
        "[0].check: unknown check table_keyles; did you mean table_keyless?",
    ),
    ('check = "trigger_missing"\nobject = "a"\nreason = "r"', "[0].check: trigger_missing cannot be accepted: "),
    ('check = "table_keyless"\nobject = "a"', "[0].reason: is missing"),
    ('check = "table_keyless"\nobject = ""\nreason = "r"', "[0].object: must be a string that is not empty"),
    (
        'check = "table_keyless"\nobject = "a"\nreason = "r"\nuntil = "soon"',
        "[0].until: must be a date such as 2027-03-31",
    ),
    ('check = "table_keyless"\nobject = "a"\nreason = "r"\nby = "me"', "[0].by: unknown key"),
    (
        'check = "guard"\nobject = "a"\nreason = "r"\n[[doctor.accept]]\ncheck = "guard"\nobject = "a"\nreason = "s"',
        "[1].object: guard a is already in doctor.accept[0]",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_in_what_is_accepted_is_told_with_its_place(auditctl: RunAuditctl, text: str, message: str) -> None:
    refused = auditctl("apply", "--yes", "-", input=f"{TABLES}[[doctor.accept]]\n{text}\n", check=4)
    assert f"stdin: doctor.accept{message}" in refused.err


@pytest.mark.parametrize("text", [text for text, _ in MISTAKES[:-1]])
def test_what_is_accepted_with_a_mistake_is_no_difference(auditctl: RunAuditctl, text: str) -> None:
    auditctl("apply", "--yes", "-", input=TABLES + ACCEPT.replace("legacy.*", "a"), check=0)
    sound = '[[doctor.accept]]\ncheck = "guard"\nobject = "b"\nreason = "r"\n'
    shown = auditctl("check", "-", input=f"{TABLES}{sound}[[doctor.accept]]\n{text}\n", check=4).out.splitlines()
    is_other = 'check = "table_keyless"' not in text
    dropped = ["DROP    finding table_keyless a  The file accepts it no longer."] if is_other else []
    assert shown == [*dropped, "CREATE  finding guard b  The file accepts it: r"]


def finding(check: str, about: str) -> Finding:
    return Finding(Severity.NOTICE, check, about, "m", "r")


@pytest.mark.parametrize(
    ("accepted", "is_apart"),
    [
        (Acceptance("table_keyless", "s.t", "r"), True),
        (Acceptance("table_keyless", "s.*", "r"), True),
        (Acceptance("table_keyless", "s.t", "r", date(2027, 1, 2)), True),
        (Acceptance("table_keyless", "s.t", "r", date(2027, 1, 1)), False),
        (Acceptance("table_keyless", "s.u", "r"), False),
        (Acceptance("table_foreign", "s.t", "r"), False),
        (Acceptance("nothing", "*", "r"), False),
        (Acceptance("table_keyless", "S.T", "r"), False),
    ],
)
def test_what_is_accepted_names_check_and_object_until_its_day(accepted: Acceptance, is_apart: bool) -> None:
    counted, apart = acceptance.split([finding("table_keyless", "s.t")], [accepted], date(2027, 1, 1))
    assert (len(counted), len(apart)) == ((0, 1) if is_apart else (1, 0))


def test_altered_capture_counts_whatever_is_written_into_the_table(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table t (id int primary key)")
    audit(db, "t")
    conn.execute(
        "insert into auditctl.accepted_finding (check_name, object, reason) values ('trigger_silent', '*', 'r')"
    )
    conn.execute("alter event trigger auditctl_guard_ddl disable; alter table t disable trigger auditctl_create")
    with database.connect(db) as session:
        assert "trigger_silent" in {one.check for one in examine(session).findings}


def test_critical_checks_may_not_be_accepted_but_for_rules_that_applications_need() -> None:
    critical = {check.name for check in CHECKS if check.severity is Severity.CRITICAL and check.may_be_accepted}
    assert critical == {"rule_instead"}
