"""Whoever asks doctor can carry out what it proposes to them as it stands, or reads who can."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from auditctl import store
from auditctl.doctor import remedies
from auditctl.doctor.model import Finding, Right, Severity
from auditctl.doctor.registry import CHECKS
from auditctl.doctor.rights import SERVICES, Asker
from tests.fixtures.databases import connect
from tests.support.doctoring import STATEMENTS, found

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

SHOP = """
    create schema shop authorization {0}; grant usage on schema shop to public; set role {0};
    create table shop.cart (id int primary key); create table shop.visit (id int);
    create table shop.paid (id int primary key);
    create table shop.gone (id int primary key); create unlogged table shop.quick (id int primary key);
    create table shop.copy (id int primary key);
    create rule noted as on insert to shop.cart do also notify shop;
    reset role
"""
BREAKS = """
    alter table shop.paid disable trigger auditctl_update;
    drop trigger auditctl_delete on shop.cart;
    drop table shop.gone;
    create function auditctl_triggers.stray() returns int language sql as 'select 1';
    create function auditctl_triggers.other() returns int language sql as 'select 1';
    alter function auditctl_triggers.other() owner to auditctl_owner;
    alter table auditctl.rule disable row level security;
    grant execute on function auditctl_triggers.shop__cart__update() to public;
    grant insert on auditctl.event to pg_monitor;
    alter default privileges for role auditctl_owner grant select on tables to pg_monitor;
    insert into auditctl.hold (target, reason) values ('shop.none', 'typing mistake')
"""


def can_run(remedy: str) -> bool:
    """Whether a remedy is proposed to whoever asks, to be run as it stands."""
    return Finding(Severity.NOTICE, "", "", "", remedy).is_code


def carry_out(remedy: str, dsn: str, auditctl: RunAuditctl) -> None:
    """Do what a remedy says as somebody; fails if that is refused."""
    if remedy.startswith("auditctl "):
        auditctl(*shlex.split(remedy)[1:], dsn=dsn, check=0)
        return
    with connect(dsn) as conn:
        notices: list[str] = []
        conn.add_notice_handler(lambda diagnostic: notices.append(diagnostic.severity or ""))
        for statement in STATEMENTS.findall(remedy):
            conn.execute(statement)
        assert "WARNING" not in notices, remedy


def repair(dsn: str, auditctl: RunAuditctl) -> set[str]:
    """Carry out everything that is proposed to somebody, and see it gone; return whose findings were repaired."""
    before = [finding for finding in found(dsn) if can_run(finding.remedy)]
    for remedy in dict.fromkeys(finding.remedy for finding in before):
        carry_out(remedy, dsn, auditctl)
    left = {(finding.check, finding.object) for finding in found(dsn)}
    assert [finding for finding in before if (finding.check, finding.object) in left] == []
    return {finding.check for finding in before}


def break_everything(conn: psycopg.Connection, owner: str) -> None:
    conn.execute("alter event trigger auditctl_guard_ddl disable; alter event trigger auditctl_guard_drop disable")
    conn.execute(BREAKS.format(owner).encode())
    conn.execute(
        "alter event trigger auditctl_guard_ddl enable always; alter event trigger auditctl_guard_drop enable always"
    )


CAPTURE = {"trigger_silent", "trigger_missing", "function_unknown"}


def test_each_login_can_carry_out_what_is_proposed_to_it_where_a_superuser_installed(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    owner = login("owner", roles=["auditctl_reader"])
    reader, administrator = login("reader", roles=["auditctl_reader"]), login("admin", roles=["auditctl_admin"])
    conn.execute(SHOP.format(owner.name).encode())
    auditctl("enable", "shop.*", check=0)
    break_everything(conn, owner.name)
    assert repair(reader.dsn, auditctl) == set()
    proposed = {finding.check: finding.remedy for finding in found(reader.dsn)}
    for check in CAPTURE - {"function_unknown"}:
        assert proposed[check] == "as an administrator: auditctl apply --yes"
    assert proposed["log_writable"].startswith("as a superuser: set role auditctl_owner; ")
    assert proposed["table_unlogged"] == f"as {owner.name}: alter table shop.quick set logged;"
    assert repair(owner.dsn, auditctl) == {"table_unlogged"}
    assert repair(administrator.dsn, auditctl) - {"role_member"} == CAPTURE | {"hold_empty"}
    left = [(finding.check, finding.object) for finding in found(db) if finding.check in CAPTURE]
    assert left == [("function_unknown", "auditctl_triggers.stray()")]
    assert {
        "function_unknown",
        "log_writable",
        "log_row_security",
        "default_privileges",
    } <= repair(db, auditctl)


def test_administrators_are_not_told_to_apply_what_only_others_may(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    conn.execute(SHOP.format("postgres"))
    limit = 'table = [{name = "shop.*"}]\n[admin]\ntables = ["shop.c*"]\n'
    auditctl("apply", "--yes", "-", input=limit, check=0)
    administrator = login("admin", roles=["auditctl_admin"])
    conn.execute("alter event trigger auditctl_guard_drop disable; drop trigger auditctl_delete on shop.paid")
    conn.execute("alter event trigger auditctl_guard_drop enable always")
    for dsn in (administrator.dsn, login("reader", roles=["auditctl_reader"]).dsn):
        proposed = {finding.check: finding.remedy for finding in found(dsn)}
        assert proposed["trigger_missing"] == "as a superuser: auditctl apply --yes"
        assert proposed["table_keyless"].startswith("as a superuser: Name the columns")


def test_each_login_can_carry_out_what_is_proposed_to_it_where_nobody_is_a_superuser(
    empty_db: str, auditctl: RunAuditctl, login: MakeLogin
) -> None:
    dba = login("dba", dsn=empty_db, attributes="createrole", roles=["auditctl_owner", "auditctl_admin"])
    other = login("other", dsn=empty_db)
    administrator = login("administrator", dsn=empty_db, roles=["auditctl_admin"])
    with connect(empty_db) as conn:
        conn.execute(f"grant create on database {conn.info.dbname} to {dba.name}".encode())
        store.install(dba.dsn)
        conn.execute(SHOP.format(dba.name).encode())
        conn.execute("create table public.theirs (id int primary key)")
        conn.execute(f"alter table public.theirs owner to {other.name}".encode())
        auditctl("enable", "shop.*", dsn=dba.dsn, check=0)
        conn.execute(BREAKS.encode())
        conn.execute("create role cloudsqlsuperuser")
        conn.execute("insert into auditctl.member values ('auditctl_admin', %s)", [administrator.name])
    try:
        assert CAPTURE | {"hold_empty"} <= repair(administrator.dsn, auditctl)
        assert {"log_writable", "log_row_security", "table_unlogged"} <= repair(dba.dsn, auditctl)
        # What belongs to others takes those others.
        auditctl("enable", "public.theirs", dsn=empty_db, check=0)
        with connect(empty_db) as conn:
            conn.execute("alter table public.theirs disable trigger auditctl_update")
        for dsn in (dba.dsn, administrator.dsn):
            proposed = {finding.check: finding.remedy for finding in found(dsn)}
            assert proposed["trigger_silent"] == "as a login that also owns the tables: auditctl apply --yes"
    finally:
        with connect(empty_db) as conn:
            conn.execute("drop role cloudsqlsuperuser")


@pytest.mark.parametrize("service", [None, SERVICES[0]], ids=["own server", "managed service"])
def test_a_remedy_that_takes_a_right_names_who_has_it(service: None) -> None:
    names = "role relations database name kind parameter object via grantor owner table rule relation"
    row = dict.fromkeys(names.split(), "x")
    for check in CHECKS:
        finding = Finding(Severity.NOTICE, check.name, "x", "m", "alter role x nosuperuser;")
        fitted = remedies.fit(finding, check, row, Asker(False, False, service))
        assert not fitted.is_code or check.needs is Right.NOBODY, check.name
