"""Granting and revoking auditctl's roles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl import database
from auditctl.capture import roles
from auditctl.errors import ConfigurationError, DatabaseError, UsageError
from auditctl.names import GRANTABLE_ROLES
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


def recorded(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select target_id, action::text, old_values, new_values, context ->> 'summary', actor from auditctl.event "
        "where target = 'auditctl.role' order by event_id"
    ).fetchall()


def member(dsn: str, role: str) -> bool:
    with connect(dsn) as conn:
        row = conn.execute("select pg_has_role(session_user, %s, 'USAGE')", [role]).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.parametrize(("short", "role"), GRANTABLE_ROLES.items())
def test_a_role_is_granted_revoked_and_each_recorded_once(
    conn: psycopg.Connection, db: str, login: MakeLogin, short: str, role: str
) -> None:
    carol = login("carol")
    with database.connect(db) as session:
        assert roles.grant(session, short, carol.name) is True
        assert member(carol.dsn, role) is True
        assert roles.grant(session, short, carol.name) is False
        assert roles.revoke(session, short, carol.name) is True
        assert member(carol.dsn, role) is False
        assert roles.revoke(session, short, carol.name) is False
    assert recorded(conn) == [
        (
            role, "EVENT", None, {"role": role, "login": carol.name, "member": True},
            f"{role} granted to {carol.name}", "postgres",
        ),
        (
            role, "EVENT", None, {"role": role, "login": carol.name, "member": False},
            f"{role} revoked from {carol.name}", "postgres",
        ),
    ]  # fmt: skip


def test_the_commands_report_what_they_did(db: str, auditctl: RunAuditctl, login: MakeLogin) -> None:
    name = login("carol").name
    for command, message in (
        ("grant", f"Granted reader to {name}.\n"),
        ("grant", f"{name} has reader already.\n"),
        ("revoke", f"Revoked reader from {name}.\n"),
        ("revoke", f"{name} does not have reader.\n"),
    ):
        done = auditctl(command, "reader", name, check=0)
        assert (done.out, done.err) == ("", message)
    unknown = auditctl("grant", "reader", "nobody_here", check=4)
    assert unknown.err == (
        'error: the login nobody_here does not exist\nhint: Create it first: create role "nobody_here" login\n'
    )
    unknown = auditctl("revoke", "reader", "nobody_here", check=4)
    assert unknown.err == "error: the login nobody_here does not exist\nhint: List the logins in psql with: \\du\n"
    assert auditctl("grant", "owner", name, check=2).err.startswith("error: ")


def test_what_a_role_allows_begins_and_ends_with_it(db: str, login: MakeLogin) -> None:
    carol = login("carol")
    with database.connect(db) as session, connect(carol.dsn) as hers:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hers.execute("select * from auditctl.event")
        roles.grant(session, "reader", carol.name)
        assert hers.execute("select count(*) >= 0 from auditctl.event").fetchone() == (True,)
        roles.revoke(session, "reader", carol.name)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hers.execute("select * from auditctl.event")


@pytest.mark.parametrize("role", ["auditctl_reader", "auditctl_app", None])
def test_a_login_that_may_not_grant_is_refused_and_nothing_is_left(
    conn: psycopg.Connection, login: MakeLogin, role: str | None
) -> None:
    clerk, carol = login("clerk", roles=[role] if role else []), login("carol")
    with pytest.raises(DatabaseError) as error, database.connect(clerk.dsn) as session:
        roles.grant(session, "app", carol.name)
    assert (error.value.sqlstate, error.value.exit_code) == ("42501", 5)
    assert error.value.hint != ""
    assert recorded(conn) == []
    assert member(carol.dsn, "auditctl_app") is False


def test_an_administrator_makes_others_readers_and_is_recorded(conn: psycopg.Connection, login: MakeLogin) -> None:
    admin, carol = login("admin", roles=["auditctl_admin"]), login("carol")
    with database.connect(admin.dsn) as session:
        assert roles.grant(session, "reader", carol.name) is True
        assert roles.revoke(session, "reader", carol.name) is True
    assert [(summary, actor) for *_, summary, actor in recorded(conn)] == [
        (f"auditctl_reader granted to {carol.name}", admin.name),
        (f"auditctl_reader revoked from {carol.name}", admin.name),
    ]


def test_hostile_names_are_taken_to_the_letter(db: str, conn: psycopg.Connection, role_names: list[str]) -> None:
    name = 'x"; drop schema auditctl; -- %s {} é'
    conn.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
    role_names.append(name)
    with database.connect(db) as session:
        assert roles.grant(session, "app", name) is True
        assert roles.grant(session, "app", name) is False
        assert roles.revoke(session, "app", name) is True
    assert [values["login"] for _, _, _, values, *_ in recorded(conn)] == [name, name]


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_is_no_name_is_a_usage_error(db: str, name: str) -> None:
    with database.connect(db) as session:
        for change in (roles.grant, roles.revoke):
            with pytest.raises(UsageError, match="a login's name cannot be empty or contain a NUL byte"):
                change(session, "reader", name)


def test_an_unknown_login_is_a_configuration_error(db: str) -> None:
    with database.connect(db) as session, pytest.raises(ConfigurationError, match="nobody_here does not exist"):
        roles.revoke(session, "app", "nobody_here")


def test_a_membership_that_another_role_granted_is_not_passed_off_as_revoked(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    carol, deputy = login("carol"), login("deputy")
    conn.execute(sql.SQL("grant auditctl_app to {} with admin option").format(sql.Identifier(deputy.name)))
    with connect(deputy.dsn) as session:
        session.execute(sql.SQL("grant auditctl_app to {}").format(sql.Identifier(carol.name)))
    with database.connect(db) as session:
        if conn.info.server_version < 160000:
            assert roles.revoke(session, "app", carol.name) is True
            return
        with pytest.raises(ConfigurationError, match="keeps auditctl_app, which another role granted"):
            roles.revoke(session, "app", carol.name)
    assert recorded(conn) == []
    assert member(carol.dsn, "auditctl_app") is True


def powers(conn: psycopg.Connection, name: str) -> tuple[Any, ...]:
    row = conn.execute(
        """
        select r.rolbypassrls, pg_has_role(r.oid, 'pg_read_all_data', 'usage'),
               pg_has_role(r.oid, 'auditctl_backup', 'usage')
          from pg_roles as r where r.rolname = %s
        """,
        [name],
    ).fetchone()
    assert row is not None
    return row


def test_a_backup_role_gets_what_a_dump_needs_and_loses_all_of_it(
    db: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    nightly = login("nightly").name
    for command, message in (
        (("backup-role", nightly), f"{nightly} can dump the whole database.\n"),
        (("backup-role", nightly), f"{nightly} can dump the whole database already.\n"),
        (("grant", "backup", nightly), f"{nightly} has backup already.\n"),
    ):
        assert auditctl(*command, check=0).err == message
        assert powers(conn, nightly) == (True, True, True)
    assert auditctl("revoke", "backup", nightly, check=0).err == f"Revoked backup from {nightly}.\n"
    assert powers(conn, nightly) == (False, False, False)
    assert [(summary, actor) for *_, summary, actor in recorded(conn)] == [
        (f"auditctl_backup granted to {nightly}", "postgres"),
        (f"auditctl_backup revoked from {nightly}", "postgres"),
    ]


def test_a_backup_role_is_completed_and_that_is_recorded(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    nightly = login("nightly", roles=["pg_read_all_data"]).name
    auditctl("grant", "backup", nightly, check=0)
    assert powers(conn, nightly) == (False, True, True)
    auditctl("backup-role", nightly, check=0)
    assert powers(conn, nightly) == (True, True, True)
    assert len(recorded(conn)) == 2


def test_revoking_backup_leaves_what_it_did_not_grant(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    monitor = login("monitor", roles=["pg_read_all_data"]).name
    auditctl("grant", "backup", monitor, check=0)
    auditctl("revoke", "backup", monitor, check=0)
    assert powers(conn, monitor) == (False, True, False)


@pytest.mark.parametrize("attributes", ["", "createrole"])
def test_a_login_that_may_not_make_a_backup_role_says_who_may_and_changes_nothing(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl, attributes: LiteralString
) -> None:
    clerk, nightly = login("clerk", roles=["auditctl_admin"], attributes=attributes), login("nightly").name
    denied = auditctl("backup-role", nightly, dsn=clerk.dsn, check=5)
    assert f"error: {clerk.name} may not grant or revoke what a whole dump needs: " in denied.err
    assert "hint: BYPASSRLS takes a superuser" in denied.err
    assert f"auditctl grant backup {nightly}" in denied.err
    assert powers(conn, nightly) == (False, False, False)
    assert recorded(conn) == []


def test_from_version_16_on_who_has_all_of_it_to_give_makes_a_backup_role(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    boss, nightly = login("boss", roles=["auditctl_admin"], attributes="createrole bypassrls"), login("nightly").name
    for role in ("auditctl_backup", "pg_read_all_data", nightly):
        statement = sql.SQL("grant {} to {} with admin option")
        conn.execute(statement.format(sql.Identifier(role), sql.Identifier(boss.name)))
    if conn.info.server_version >= 160000:
        auditctl("backup-role", nightly, dsn=boss.dsn, check=0)
        auditctl("revoke", "backup", nightly, dsn=boss.dsn, check=0)
        assert [actor for *_, actor in recorded(conn)] == [boss.name, boss.name]
    else:
        auditctl("backup-role", nightly, dsn=boss.dsn, check=5)


def test_what_can_be_no_backup_role_is_refused(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    aloof = login("aloof", attributes="noinherit").name
    refused = auditctl("backup-role", aloof, check=4).err
    assert "does not inherit the privileges of its roles" in refused
    assert "is a superuser" in auditctl("backup-role", "postgres", check=4).err
    assert "the login nobody_here does not exist" in auditctl("backup-role", "nobody_here", check=4).err
    assert "is a role of auditctl itself" in auditctl("backup-role", "auditctl_admin", check=2).err
    assert powers(conn, aloof) == (False, False, False)
    assert recorded(conn) == []


def test_a_backup_role_is_warned_of_large_objects_that_it_may_not_read(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    nightly = login("nightly").name
    row = conn.execute("select lo_from_bytea(0, 'x')").fetchone()
    assert row is not None
    assert "warning: it may not read 1 large object, where its pg_dump fails" in auditctl("backup-role", nightly).err
    conn.execute(f"grant select on large object {row[0]} to {nightly}".encode())
    assert "warning" not in auditctl("backup-role", nightly).err


@pytest.mark.parametrize("has_roles", [False, True])
def test_statements_that_a_refused_backup_role_is_told_to_run_help(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl, has_roles: bool
) -> None:
    name = f'{login("aloof", attributes="noinherit").name} "a'
    conn.execute(sql.SQL("alter role {} rename to {}").format(sql.Identifier(name[:-3]), sql.Identifier(name)))
    try:
        if has_roles:
            conn.execute(sql.SQL("grant auditctl_backup, pg_read_all_data to {}").format(sql.Identifier(name)))
        hint = re.search(r"hint: Run this first: (.*)", auditctl("backup-role", name, check=4).err)
        assert hint is not None
        conn.execute(hint[1].encode())
        auditctl("backup-role", name, check=0)
    finally:
        conn.execute(sql.SQL("alter role {} rename to {}").format(sql.Identifier(name), sql.Identifier(name[:-3])))


def test_the_statement_that_creates_a_login_that_is_missing_helps(
    conn: psycopg.Connection, auditctl: RunAuditctl, role_names: list[str]
) -> None:
    name = 'odd "Login"'
    role_names.append(name)
    hint = re.search(r"hint: Create it first: (.*)", auditctl("grant", "reader", name, check=4).err)
    assert hint is not None
    conn.execute(hint[1].encode())
    auditctl("grant", "reader", name, check=0)


def test_the_statement_that_ends_a_membership_of_another_grantor_helps(
    conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    boss, carol = login("boss"), login("carol").name
    conn.execute(f"grant auditctl_reader to {boss.name} with admin option".encode())
    with connect(boss.dsn) as session:
        session.execute(f"grant auditctl_reader to {carol}".encode())
    done = auditctl("revoke", "reader", carol)
    assert (done.code == 0) is (conn.info.server_version < 160000)  # before 16 a membership has one grantor
    for hint in re.findall(r"hint: Run, as that role or a superuser: (.*)", done.err):
        conn.execute(hint.encode())
    assert auditctl("revoke", "reader", carol, check=0).err == f"{carol} does not have reader.\n"
