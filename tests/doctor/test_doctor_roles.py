"""`auditctl doctor` on roles: who can do what the promises exclude is found, and the remedy takes it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.doctoring import examine_and_repair, found

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

WARNING, NOTICE = Severity.WARNING, Severity.NOTICE

POWERS = {
    "pg_write_all_data": "write to every table, and exhaust or reset every sequence, including that of the log",
    "pg_execute_server_program": "run programs as the server's user, who can change the log's files",
    "pg_write_server_files": "write files as the server's user, including those of the log",
    "pg_read_server_files": "read files as the server's user, including those of the log",
}


@pytest.fixture
def eve(login: MakeLogin) -> Login:
    """A login with a name that must be quoted, and no rights."""
    return login("Eve 'n")


def quoted(login: Login) -> str:
    return f'"{login.name}"'


def test_a_second_superuser_is_found(db: str, eve: Login, auditctl: RunAuditctl) -> None:
    examine_and_repair(
        db,
        f"alter role {quoted(eve)} superuser",
        [
            Finding(
                NOTICE, "role_superuser", eve.name,
                f"{eve.name} can switch capture off and change the log: it is a superuser.",
                f"alter role {quoted(eve)} nosuperuser;",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_superuser_that_is_an_application_through_another_role_is_found(
    db: str, eve: Login, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    team = login("team", roles=["auditctl_app"])
    with connect(db) as conn:
        conn.execute("insert into auditctl.member values ('auditctl_app', %s)", [eve.name])
    examine_and_repair(
        db,
        f"grant {team.name} to {quoted(eve)}; alter role {quoted(eve)} superuser",
        [
            Finding(
                WARNING, "role_app_superuser", eve.name,
                f"{eve.name} can name anybody as the user, and can change the log too: it is a superuser with "
                "auditctl_app.",
                f"alter role {quoted(eve)} nosuperuser;",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_the_first_superuser_as_an_application_is_found_and_stays_a_superuser(db: str, auditctl: RunAuditctl) -> None:
    examine_and_repair(
        db,
        "grant auditctl_app to postgres",
        [
            Finding(
                WARNING, "role_app_superuser", "postgres",
                "postgres can name anybody as the user, and can change the log too: it is a superuser with "
                "auditctl_app.",
                "revoke auditctl_app from postgres;",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_role_that_row_security_does_not_hold_is_found(db: str, eve: Login, auditctl: RunAuditctl) -> None:
    examine_and_repair(
        db,
        f"alter role {quoted(eve)} bypassrls",
        [
            Finding(
                NOTICE, "role_bypass_rls", eve.name,
                f"{eve.name} can write to any table it has the privilege for, the log included: row security does not "
                "hold it.",
                f"alter role {quoted(eve)} nobypassrls;",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_login_that_may_replicate_is_found(db: str, eve: Login, auditctl: RunAuditctl) -> None:
    examine_and_repair(
        db,
        f"alter role {quoted(eve)} replication",
        [
            Finding(
                NOTICE, "role_replication", eve.name,
                f"{eve.name} can read every table and the log without leaving an event, by logical decoding or by a "
                "copy of the server: it may replicate.",
                f"alter role {quoted(eve)} noreplication;",
            )
        ],
        auditctl,
    )  # fmt: skip


def test_a_role_that_can_make_itself_audit_owner_is_found_before_version_16(
    db: str, conn: psycopg.Connection, eve: Login, auditctl: RunAuditctl
) -> None:
    expected = Finding(
        WARNING, "role_createrole", eve.name,
        f"{eve.name} can make itself a member of auditctl_owner, and then change capture: it may administer "
        "every role.",
        f"alter role {quoted(eve)} nocreaterole;",
    )  # fmt: skip
    broken = f"alter role {quoted(eve)} createrole"
    examine_and_repair(db, broken, [expected] if conn.info.server_version < 160000 else [], auditctl)
    if conn.info.server_version >= 160000:
        with connect(eve.dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(sql.SQL("grant auditctl_owner to {}").format(sql.Identifier(eve.name)))


def owner_member(login: Login) -> Finding:
    return Finding(
        WARNING,
        "role_owner_member",
        login.name,
        f"{login.name} can act as auditctl_owner: change capture, write events, and take the guards off the log.",
        f"revoke auditctl_owner from {quoted(login)};",
    )


def test_a_member_of_audit_owner_is_found(db: str, eve: Login, auditctl: RunAuditctl) -> None:
    examine_and_repair(db, f"grant auditctl_owner to {quoted(eve)}", [owner_member(eve)], auditctl)


def test_the_login_that_installed_is_not_found_but_every_other_member_is(db: str, eve: Login, login: MakeLogin) -> None:
    dba, ann = login("dba", roles=["auditctl_owner", "auditctl_admin"]), login("ann", roles=["auditctl_admin"])
    with connect(db) as conn:
        conn.execute("insert into auditctl.member values ('auditctl_owner', %s)", [dba.name])
        before = found(db)
        conn.execute(f"grant auditctl_owner, auditctl_admin to {quoted(eve)}".encode())
    assert [finding for finding in before if finding.check.endswith("_member")] == [
        Finding(
            NOTICE, "role_member", ann.name,
            f"{ann.name} can read this log, shorten its retention and change what is audited: it is a member of "
            "auditctl_admin, which belongs to the whole cluster, but was not granted it in this database with "
            "auditctl grant admin LOGIN.",
            f"revoke auditctl_admin from {ann.name};",
        )
    ]  # fmt: skip
    assert [finding for finding in found(db) if finding not in before] == [owner_member(eve)]


@pytest.mark.parametrize("role", POWERS)
def test_a_member_of_a_powerful_role_of_postgresql_is_found(
    db: str, eve: Login, auditctl: RunAuditctl, role: str
) -> None:
    expected = Finding(
        NOTICE if role == "pg_read_server_files" else WARNING, "role_predefined", f"{eve.name} in {role}",
        f"{eve.name} may {POWERS[role]}.",
        f"revoke {role} from {quoted(eve)};",
    )  # fmt: skip
    examine_and_repair(db, f"grant {role} to {quoted(eve)}", [expected], auditctl)


def test_a_login_that_claims_users_and_is_not_believed_is_found(
    db: str, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    web = login("web o'clock")
    with connect(db) as conn:
        conn.execute("create table a (id int primary key)")
        conn.execute(f'grant insert on a to "{web.name}"'.encode())
    audit(db, "public.a")

    def claim() -> None:
        with connect(web.dsn) as session, session.transaction():
            session.execute("select auditctl.set_context('alice')")
            session.execute("insert into a values (1), (2)")

    with connect(db) as conn:
        row = conn.execute("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD')").fetchone()
    assert row is not None
    shell = web.name.replace("'", """'"'"'""")
    expected = Finding(
        NOTICE, "role_claims", web.name,
        f"{web.name} named the user who acts in 2 of the last 30 days' events, the last on {row[0]}, and was not "
        "believed: grant it the role if it is an application; otherwise it should stop naming users.",
        f"auditctl grant app '{shell}'",
    )  # fmt: skip
    examine_and_repair(db, claim, [expected], auditctl)


def test_a_login_that_owns_audited_tables_is_found_once(db: str, eve: Login, auditctl: RunAuditctl) -> None:
    with connect(db) as conn:
        conn.execute('create table a (id int primary key); create table "b.%" (id int primary key)')
    audit(db, "public.a", 'public."b.%"')
    power, severity = ownership(db)
    examine_and_repair(
        db,
        f'alter table a owner to {quoted(eve)}; alter table "b.%" owner to {quoted(eve)}',
        [
            Finding(
                severity, "table_owner", eve.name,
                f'{eve.name} can {power[0]}: it owns public."b.%", public.a.',
                'alter table public."b.%" owner to postgres; alter table public.a owner to postgres; '
                'grant select, insert, update, delete, truncate, references on public."b.%", public.a to '
                f"{quoted(eve)};",
            )
        ],
        auditctl,
    )  # fmt: skip
    with connect(eve.dsn) as session:
        session.execute("insert into a values (1)")


def test_a_login_that_can_act_as_a_tables_owner_is_found(
    db: str, eve: Login, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    owner = login("owner")
    team = login("team", roles=[owner.name])
    with connect(db) as conn:
        conn.execute(f"alter role {owner.name} nologin; alter role {team.name} nologin".encode())
        conn.execute("create table a (id int primary key)")
        conn.execute(f"alter table a owner to {owner.name}".encode())
    audit(db, "public.a")
    power, severity = ownership(db)
    examine_and_repair(
        db,
        f"grant {team.name} to {quoted(eve)}",
        [
            Finding(
                severity, "table_owner_member", f"{eve.name} as {owner.name}",
                f"{eve.name} can {power[1]}: it may act as {owner.name}, who owns audited tables.",
                f"revoke {team.name} from {quoted(eve)};",
            )
        ],
        auditctl,
    )  # fmt: skip


def ownership(db: str) -> tuple[tuple[str, str], Severity]:
    """What an owner can do, of one table and of several, and how bad it is: that depends on the coverage guard."""
    if any(finding.check == "guard" for finding in found(db)):
        return ("switch capture off", "switch their capture off"), WARNING
    return (
        "change data by DDL, which no trigger sees",
        "change their data by DDL, which no trigger sees",
    ), NOTICE


def test_a_login_that_owns_the_database_is_found(db: str, eve: Login, auditctl: RunAuditctl) -> None:
    with connect(db) as conn:
        name = conn.info.dbname
    examine_and_repair(
        db,
        f"alter database {name} owner to {quoted(eve)}",
        [
            Finding(
                WARNING, "database_owner", f"{name} of {eve.name}",
                f"{eve.name} can drop the database, and the log with it.",
                f"alter database {name} owner to postgres;",
            )
        ],
        auditctl,
    )  # fmt: skip
