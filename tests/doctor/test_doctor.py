"""`auditctl doctor` as a whole: nothing on a sound server, all that is wrong elsewhere, whoever asks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from auditctl import database, session_settings, store
from auditctl.capture import roles
from auditctl.doctor.examine import examine
from auditctl.doctor.model import AS_SUPERUSER, Finding, Severity
from tests.fixtures.databases import connect, fresh_database
from tests.support.capturing import audit
from tests.support.doctoring import IF_UNNEEDED, UNGUARDED, carry_out, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

COMPANY = """
    create role company_web login; create role company_auditor login; create role company_owner nologin;
    create schema company authorization company_owner;
    set role company_owner;
    create table company.customer (id int primary key, name text);
    create table company.sale (id int primary key, at date) partition by range (id);
    create table company.sale_1 partition of company.sale for values from (0) to (10);
    create function company.stamped() returns trigger language plpgsql as $$ begin return new; end $$;
    create trigger stamp before insert on company.customer for each row execute function company.stamped();
    grant usage on schema company to company_web;
    grant select, insert, update, delete on all tables in schema company to company_web;
    reset role
"""


@pytest.fixture
def company(sound_server: EmbeddedServer) -> Iterator[str]:
    """The DSN of a database that was set up as the quickstart says, on a server as one would run it."""
    with fresh_database(sound_server, "company") as dsn:
        store.install(dsn)
        with connect(dsn) as conn:
            conn.execute(COMPANY)
        with database.connect(dsn) as session:
            roles.grant(session, "app", "company_web")
            roles.grant(session, "reader", "company_auditor")
        audit(dsn, "company.*")
        yield dsn
        with connect(dsn) as conn:
            conn.execute(UNGUARDED.format("drop schema company cascade").encode())
            conn.execute("drop owned by company_owner, company_web, company_auditor cascade")
            conn.execute("drop role company_owner, company_web, company_auditor")


def supported(dsn: str) -> bool:
    """Whether the series of the server still gets corrections, which no set-up changes."""
    return not any(finding.check == "server_end_of_life" for finding in found(dsn))


DUMPERS = "A whole pg_dump can be made by: superusers\n"


def test_a_sound_set_up_has_no_finding(company: str, auditctl: RunAuditctl) -> None:
    with connect(make_conninfo(company, user="company_web")) as conn:
        conn.execute("select auditctl.set_context('alice', p_local => false)")
        conn.execute("insert into company.customer values (1, 'x'); insert into company.sale values (1)")
    assert [finding for finding in found(company) if finding.check != "server_end_of_life"] == []
    if supported(company):
        done = auditctl("doctor", dsn=company, check=0)
        assert (done.out, done.err) == ("", f"{DUMPERS}nothing found\n")
        done = auditctl("doctor", "--format", "json", dsn=make_conninfo(company, user="company_auditor"), check=0)
        assert done.out == "[]\n"
        assert done.err == (
            "not checked: log_default_rows, because permission denied for table event_default\n"
            f"{DUMPERS}nothing found\n"
        )


@pytest.mark.usefixtures("template")
def test_the_login_that_installed_sees_everything_and_is_no_finding(
    empty_db: str, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    dba = login("dba", dsn=empty_db, attributes="createrole", roles=["auditctl_owner", "auditctl_admin"])
    with connect(empty_db) as conn:
        conn.execute(f"grant create on database {conn.info.dbname} to {dba.name}".encode())
    store.install(dba.dsn)
    with connect(dba.dsn) as conn:
        conn.execute("create schema own; create table own.a (id int primary key)")
    audit(dba.dsn, "own.a")
    with database.connect(dba.dsn) as session:
        examined = examine(session)
    assert examined.unseen == ()
    by_superuser = [replace(f, remedy=f.remedy.removeprefix(AS_SUPERUSER)) for f in examined.findings]
    assert by_superuser == found(empty_db)
    of_the_server = ("server_crash", "server_end_of_life")
    others = [(f.severity, f.check, f.object) for f in examined.findings if f.check not in of_the_server]
    assert others == [("warning", "guard", "auditctl_guard_ddl"), ("warning", "guard", "auditctl_guard_drop")]
    remedy = "as a superuser: auditctl install"
    assert [finding.remedy for finding in examined.findings if finding.check == "guard"] == [remedy, remedy]
    carry_out(remedy, empty_db, auditctl)
    assert [finding for finding in found(empty_db) if finding.check == "guard"] == []


def test_a_login_without_roles_is_told_what_it_cannot_look_at(company: str, auditctl: RunAuditctl) -> None:
    with database.connect(make_conninfo(company, user="company_web")) as conn:
        examined = examine(conn)
    assert [finding for finding in examined.findings if finding.check != "server_end_of_life"] == []
    assert {reason for _, reason in examined.unseen} == {
        "permission denied for table rule",
        "permission denied for table actor_source",
        "permission denied for table archived_month",
        "permission denied for table archiving",
        "permission denied for function expired_archives",
        "permission denied for table capture",
        "permission denied for function qualified",
        "permission denied for table event",
        "permission denied for table event_default",
        "permission denied for table member",
        "permission denied for table month",
        "permission denied for table block",
        "permission denied for table run",
        "permission denied for table consumer",
        "permission denied for table read_site",
        "permission denied for table maintenance",
        "permission denied for table hold",
        "permission denied for function retention_grace",
    }
    with_rules = {check for check, reason in examined.unseen if reason == "permission denied for table rule"}
    assert {"trigger_missing", "rule_broken", "function_unknown"} <= with_rules


def test_findings_are_printed_as_a_table_with_remedies_to_copy(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table a (id int primary key, v text); create table b (id int primary key)")
    audit(db, "public.a", "public.b")
    rule = 'create rule "x\x1b[31m" as on delete to a do also notify x'
    conn.execute(
        UNGUARDED.format(f"drop trigger auditctl_create on a; drop trigger auditctl_create on b; {rule}").encode()
    )
    findings = found(db)
    done = auditctl("doctor", check=3)
    table, _, remedies = done.out.partition("\nRemedies, in their order:\n")
    assert [line.split()[:4] for line in table.splitlines()[1:3]] == [
        ["1", "critical", "trigger_missing", "public.a"],
        ["2", "critical", "trigger_missing", "public.b"],
    ]
    assert remedies.startswith("1, 2:\n    auditctl apply --yes\n")
    assert remedies.endswith(f'{len(findings)}:\n    {IF_UNNEEDED}drop rule "x\\x1b[31m" on public.a\n')
    assert done.err == (
        f"{DUMPERS}What was written past triggers, auditctl reconcile finds once they are back.\n"
        f"error: {len(findings)} findings: 2 critical, {counted(findings)}\n"
        "hint: Carry out the remedies in their order, then run: auditctl doctor\n"
    )


def counted(findings: list[Finding]) -> str:
    """How many warnings and notices there are, as the summary says it."""
    numbers = [(sum(f.severity is severity for f in findings), severity) for severity in list(Severity)[1:]]
    return ", ".join(f"{number} {severity}{'s' if number > 1 else ''}" for number, severity in numbers if number)


def test_findings_that_matter_less_are_left_out_on_request(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table a (id int primary key); create table b (v text)")
    audit(db, "public.a", "public.b")
    conn.execute(UNGUARDED.format("alter table a set unlogged").encode())
    checks = {
        severity: [finding["check"] for finding in json.loads(done.out)]
        for severity in ("notice", "warning")
        for done in [auditctl("doctor", "--format", "json", "--severity", severity, check=3)]
    }
    assert checks["notice"] == [finding.check for finding in found(db)]
    assert checks["warning"] == [finding.check for finding in found(db) if finding.severity is not Severity.NOTICE]
    done = auditctl("doctor", "--severity", "critical", check=0)
    assert (done.out, done.err) == ("", f"{DUMPERS}nothing found\n")


def test_findings_are_printed_as_json_the_worst_first(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    conn.execute("create table a (id int primary key)")
    audit(db, "public.a")
    conn.execute(UNGUARDED.format("alter table a set unlogged; drop trigger auditctl_create on a").encode())
    reader = login("reader", roles=["auditctl_reader"])
    for dsn, who in ((db, ""), (reader.dsn, "as an administrator: ")):
        done = auditctl("--quiet", "doctor", "--format", "json", dsn=dsn, check=3)
        printed = json.loads(done.out)
        severities = [list(Severity).index(finding["severity"]) for finding in printed]
        assert severities == sorted(severities)
        assert printed[0] == {
            "severity": "critical",
            "check": "trigger_missing",
            "object": "public.a",
            "meaning": "No insert of public.a leaves an event: the trigger is gone.",
            "remedy": f"{who}auditctl apply --yes",
            "accepted": None,
        }
        assert [finding["object"] for finding in printed if finding["check"] == "table_unlogged"] == ["public.a"]


def test_an_examination_changes_nothing_and_works_in_a_read_only_session(
    auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = auditctl("doctor", check=3).out
    monkeypatch.setitem(session_settings.SETTINGS, "default_transaction_read_only", "on")
    assert auditctl("doctor", check=3).out == writing
