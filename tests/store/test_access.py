"""Who may do what with the log: each login, each way through roles, since when and by whom."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from auditctl import access, database
from auditctl.access import Access, Link, Power
from auditctl.capture import roles
from tests.fixtures.databases import connect
from tests.support.capturing import audit

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


def of(dsn: str, *logins: str) -> list[Access]:
    """What these logins may do."""
    with database.connect(dsn) as conn:
        return [one for one in access.read(conn).access if one.login in logins]


def run(conn: psycopg.Connection[Any], text: str, **names: str) -> None:
    conn.execute(sql.SQL(text).format(**{name: sql.Identifier(value) for name, value in names.items()}))


def test_each_way_of_a_login_is_listed_with_what_the_log_knows_of_it(
    db: str, conn: psycopg.Connection, login: MakeLogin, role_names: list[str]
) -> None:
    carol, group = login("carol").name, "auditors_of_access"
    role_names.append(group)
    run(conn, "create role {group}; grant {group} to {carol}", group=group, carol=carol)
    with database.connect(db) as session:
        roles.grant(session, "reader", group)
        roles.grant(session, "reader", carol)
        roles.grant(session, "app", carol)
    found = of(db, carol)
    assert [(one.power, one.through) for one in found] == [
        (Power.READ, ("auditctl_reader",)),
        (Power.READ, (group, "auditctl_reader")),
        (Power.NAME, ("auditctl_app",)),
    ]
    direct, grouped, _ = found
    assert (direct.granted_by, isinstance(direct.since, datetime)) == ("postgres", True)
    # Neither the log nor, without track_commit_timestamp, PostgreSQL knows when carol joined the group.
    assert (grouped.since, grouped.links[0].since, grouped.links[1].since is not None) == (None, None, True)
    assert grouped.granted_by == "postgres"
    with database.connect(db) as session:
        roles.revoke(session, "reader", carol)
    assert [one.through for one in of(db, carol)] == [(group, "auditctl_reader"), ("auditctl_app",)]


def test_what_gives_power_without_a_role_of_auditctl_is_listed_too(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    owner, column, boss, owning, copying = (
        login(name).name for name in ("owner", "column", "boss", "owning", "copying")
    )
    run(conn, "alter role {copying} replication", copying=copying)
    conn.execute("create table invoice (id integer primary key)")
    audit(db, "invoice")
    run(conn, "alter table invoice owner to {owner}", owner=owner)
    run(conn, "grant select (actor) on auditctl.event to {column}", column=column)
    run(conn, "grant select on auditctl.activity to public; alter role {boss} superuser", boss=boss)
    run(conn, "grant {owner} to {owning}; grant pg_read_all_data to {owning}", owner=owner, owning=owning)
    run(
        conn,
        "grant pg_execute_server_program to {owning}; grant pg_read_server_files to {column}",
        owning=owning,
        column=column,
    )
    ways = of(db, owner, column, boss, owning, copying, "PUBLIC")
    found = {(one.login, one.power.value, one.through, one.tables) for one in ways}
    assert found == {
        (owner, "table", (), ("public.invoice",)),
        (owning, "table", (owner,), ("public.invoice",)),
        (owning, "read", ("pg_read_all_data",), ()),
        (column, "read", ("SELECT on auditctl.event",), ()),
        ("PUBLIC", "read", ("SELECT on auditctl.activity",), ()),
        (boss, "own", ("superuser",), ()),
        (owning, "own", ("pg_execute_server_program",), ()),
        (column, "read", ("pg_read_server_files",), ()),
        (copying, "read", ("REPLICATION",), ()),
    }


def test_a_membership_that_may_only_be_granted_counts_from_16_on(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    if conn.info.server_version < 160000:
        pytest.skip("before PostgreSQL 16 every membership may be used")
    name = login("creator").name
    run(conn, "grant auditctl_admin to {name} with admin true, inherit false, set false", name=name)
    (link,) = next(one for one in of(db, name) if one.power is Power.ADMINISTER).links
    assert (link.role, link.member, link.takes) == ("auditctl_admin", name, True)


def test_the_command_prints_the_same_in_each_format_and_to_readers(
    db: str, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    carol, stranger = login("carol"), login("stranger")
    auditctl("grant", "reader", carol.name, check=0)
    document = json.loads(auditctl("--dsn", carol.dsn, "access", "--format", "json", check=0).out)
    (row,) = [one for one in document["access"] if one["login"] == carol.name]
    assert (row["may"], row["through"], row["granted_by"]) == ("read the log", ["auditctl_reader"], "postgres")
    assert document["as_of"].endswith("Z")
    records = list(csv.DictReader(io.StringIO(auditctl("access", "--format", "csv", check=0).out)))
    (record,) = [one for one in records if one["login"] == carol.name]
    assert (record["since"], record["through"], record["database"]) == (
        row["since"], "auditctl_reader", document["database"],
    )  # fmt: skip
    done = auditctl("access", check=0)
    assert [line.split()[1:5] for line in done.out.splitlines() if line.startswith(carol.name)] == [
        ["read", "the", "log", "auditctl_reader"]
    ]
    assert "by the server's clock" in done.err
    assert "auditctl grant reader" in auditctl("--dsn", stranger.dsn, "access", check=5).err


def test_a_chain_does_not_end_at_roles_that_nobody_logs_in_as(db: str, conn: psycopg.Connection) -> None:
    with connect(db) as session:
        names = {name for (name,) in session.execute("select rolname from pg_roles where not rolcanlogin").fetchall()}
    with database.connect(db) as opened:
        assert not names & {one.login for one in access.read(opened).access}


@pytest.mark.parametrize("name", ["carol ", "a > auditctl_reader", "superuser", "Unknown", "PUBLIC", 'q"x', "a\nb"])
def test_a_name_that_may_pass_for_something_else_is_in_quotes(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    links = (Link(name, "carol", None, None, takes=False), Link("auditctl_reader", name, None, None, takes=False))
    assert Access("carol", Power.READ, None, links, ()).chain == (quoted, "auditctl_reader")
    assert Access("carol", Power.OWN, "superuser", (), ()).chain == ("superuser",)
    assert access.shown("mary.ann@corp-x.example") == "mary.ann@corp-x.example"


def test_a_login_that_is_named_public_or_has_control_characters_passes_for_no_other(
    conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    names = ("PUBLIC", "a\x1b[2J\nb")
    conn.execute("grant select on auditctl.activity to public")
    for name in names:
        conn.execute(sql.SQL("create role {0} login; grant auditctl_reader to {0}").format(sql.Identifier(name)))
    try:
        records = list(csv.DictReader(io.StringIO(auditctl("access", "--format", "csv", check=0).out)))
        document = json.loads(auditctl("access", "--format", "json", check=0).out)
        table = auditctl("access", check=0).out
    finally:
        for name in names:
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    read = {one["login"]: one["through"] for one in records if one["may"] == "read the log"}
    assert read["PUBLIC"] == "SELECT on auditctl.activity"
    assert read['"PUBLIC"'] == read['"a\\x1b[2J\\nb"'] == "auditctl_reader"
    everyone = [one["through"] for one in document["access"] if one["public"]]
    assert everyone == [["SELECT on auditctl.activity"]]
    assert sorted(line.split()[0] for line in table.splitlines() if "PUBLIC" in line) == ['"PUBLIC"', "PUBLIC"]
