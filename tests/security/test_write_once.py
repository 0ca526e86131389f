"""Write-once: whatever a role tries on the log, it is refused, and the log is as it was."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.schema import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.fixtures.databases import Login, MakeLogin

MEMBERSHIPS = {
    "stranger": [],
    "reader": ["auditctl_reader"],
    "app": ["auditctl_app"],
    "admin": ["auditctl_admin"],
    "several": ["auditctl_reader", "auditctl_app", "auditctl_admin"],
    "table_owner": ["auditctl_app"],
}

ON_TABLES = [
    "insert into {0} overriding system value select * from {0}",
    "insert into {0} default values",
    "update {0} set {1} = {1}",
    "delete from {0}",
    "truncate {0}",
    "truncate {0} cascade",
    "drop table {0}",
    "drop table {0} cascade",
    "alter table {0} add column forged text",
    "alter table {0} drop column {1}",
    "alter table {0} disable trigger all",
    "alter table {0} rename to forged",
    "alter table {0} owner to current_user",
    "alter table {0} set schema public",
    "alter table {0} enable row level security",
    "copy {0} from stdin",
    "create rule forged as on insert to {0} do instead nothing",
    "create trigger forged before insert on {0} for each row execute function suppress_redundant_updates_trigger()",
    "create policy forged on {0} using (false)",
    "lock table {0} in exclusive mode",
    "merge into {0} using (select 1) as one on true when matched then delete",
]
"""What is tried on every table of the store: {0} is its name, {1} one of its columns."""

ON_THE_LOG = [
    "alter table auditctl.event detach partition {0}",
    "alter table auditctl.event attach partition public.forged for values from ('2001-01-01') to ('2001-02-01')",
    "drop trigger event_write_once_row on {0}",
    "alter table {0} disable trigger event_write_once_row",
    "with gone as (delete from auditctl.event returning *) select count(*) from gone",
    "select * from {0} for update",
]

ON_CODE = [
    "drop function auditctl_internal.refuse_change() cascade",
    "create or replace function auditctl_internal.refuse_change() returns trigger language plpgsql as "
    "'begin return old; end'",
    "alter function auditctl_internal.refuse_change() owner to current_user",
    "create or replace function auditctl_internal.identify() returns auditctl.identity language sql as "
    "'select null::auditctl.identity'",
    "drop function auditctl_triggers.public__item__update() cascade",
    "create or replace function auditctl_triggers.public__item__update() returns trigger language plpgsql "
    "as 'begin return null; end'",
    "create function auditctl.forged() returns int language sql as 'select 1'",
    "create function auditctl_triggers.forged() returns int language sql as 'select 1'",
    "create table auditctl.forged ()",
    "select auditctl_triggers.public__item__update()",
    "select auditctl_internal.insert_event('public.item', '1', 'UPDATE', null, null, null)",
    "select auditctl_internal.refuse_change()",
    "select auditctl_internal.guard_partition('auditctl.event')",
    "select auditctl_internal.create_partition('2001-01-01')",
    "select auditctl_internal.create_partitions()",
    "create trigger forged after insert on public.own for each row "
    "execute function auditctl_triggers.public__item__create()",
    "drop schema auditctl cascade",
    "drop schema auditctl_triggers cascade",
    "alter schema auditctl rename to forged",
    "drop owned by auditctl_owner",
    "reassign owned by auditctl_owner to current_user",
    "alter type auditctl.action rename to forged",
    "drop type auditctl.identity cascade",
    "create or replace view auditctl.activity as select 1 as forged",
    "update auditctl.activity set user_name = 'x'",
    "set role auditctl_owner",
    "set session authorization postgres",
    "grant auditctl_owner to current_user",
    "alter role auditctl_owner login",
    "alter sequence auditctl.event_event_id_seq restart",
    "select setval('auditctl.event_event_id_seq', 1)",
]

REFUSED = ("42501", "42809", "UA001", "0A000", "55000", "2F000", "0LP01")
"""SQLSTATEs of a refusal: privileges before all; a few statements are none on this kind of object or version."""


def as_logins(db: str, conn: psycopg.Connection, login: MakeLogin) -> dict[str, Login]:
    """A login of each kind; `table_owner` owns the audited table, each has a table and a partition-to-be."""
    logins = {name: login(name, roles=roles) for name, roles in MEMBERSHIPS.items()}
    conn.execute("create table item (id int primary key, v text)")
    audit(db, "item")
    conn.execute("insert into item values (1, 'x')")
    conn.execute("update item set id = 2")
    owner = sql.Identifier(logins["table_owner"].name)
    conn.execute(sql.SQL("alter table item owner to {}").format(owner))
    conn.execute("create table public.own (id int); grant all on public.own to public")
    conn.execute("create table public.forged (like auditctl.event including all)")
    return logins


def partitions(conn: psycopg.Connection) -> list[str]:
    rows = conn.execute("select relid::regclass::text from pg_partition_tree('auditctl.event')").fetchall()
    return [name for (name,) in rows]


def attempts(tables: list[str], version: int) -> Iterator[str]:
    columns = {
        "auditctl.rule": "actions", "auditctl.target": "label", "auditctl.key_change": "target_id",
        "auditctl.alembic_version": "version_num",
    }  # fmt: skip
    for table in [*tables, *columns]:
        for statement in ON_TABLES:
            if version >= 150000 or not statement.startswith("merge"):
                yield statement.format(table, columns.get(table, "actor"))
    for table in tables:
        yield from (statement.format(table) for statement in ON_THE_LOG)
    yield from ON_CODE


def contents(conn: psycopg.Connection) -> list[object]:
    """Everything the store holds, and everything it consists of."""
    tables = (
        "auditctl.event", "auditctl.rule", "auditctl.target", "auditctl.key_change", "auditctl.alembic_version"
    )  # fmt: skip
    rows = [conn.execute(f"select t::text from {table} as t order by 1".encode()).fetchall() for table in tables]
    return [*rows, describe(conn)]


def refused(session: psycopg.Connection, statement: str) -> str:
    """Try a statement; return why it was not refused as it should, or nothing."""
    try:
        with session.transaction():
            session.execute(statement.encode())
    except psycopg.Error as error:
        return "" if error.sqlstate in REFUSED else f"{statement}: {error.sqlstate} {error}"
    return f"{statement}: done"


@contextmanager
def replica_mode(conn: psycopg.Connection, logins: Iterable[Login]) -> Iterator[None]:
    """Let the logins switch triggers off for their session, as only a superuser can before PostgreSQL 15."""
    change = "{} set on parameter session_replication_role {} {}"
    for verb, preposition in (("grant", "to"), ("revoke", "from")):
        for login in logins:
            words = (sql.SQL(verb), sql.SQL(preposition), sql.Identifier(login.name))
            conn.execute(sql.SQL(change).format(*words))
        if verb == "grant":
            yield


def test_no_role_changes_the_log_or_what_guards_it(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    logins = as_logins(db, conn, login)
    tables = partitions(conn)
    assert len(tables) == 6
    before = contents(conn)
    tried = list(attempts(tables, conn.info.server_version))
    for name, each in logins.items():
        with connect(each.dsn) as session:
            assert (name, [fault for statement in tried if (fault := refused(session, statement))]) == (name, [])
    assert contents(conn) == before


def test_replica_mode_helps_nobody(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    logins = as_logins(db, conn, login)
    tried = list(attempts(partitions(conn), conn.info.server_version))
    before = contents(conn)
    if conn.info.server_version < 150000:
        for each in logins.values():
            with connect(each.dsn) as session:
                assert refused(session, "set session_replication_role = replica") == ""
        return
    with replica_mode(conn, logins.values()):
        for name, each in logins.items():
            with connect(each.dsn) as session:
                session.execute("set session_replication_role = replica")
                assert (name, [fault for statement in tried if (fault := refused(session, statement))]) == (name, [])
    assert contents(conn) == before


@pytest.mark.parametrize("mode", ["origin", "replica", "local"])
@pytest.mark.parametrize("role", ["postgres", "auditctl_owner"])
def test_even_superuser_and_owner_are_stopped_by_the_guards(conn: psycopg.Connection, role: str, mode: str) -> None:
    conn.execute("set role auditctl_owner; select auditctl_internal.create_partitions(5); reset role")
    conn.execute("select auditctl_internal.insert_event('x', null, 'EVENT', null, null, 'kept')")
    tables = partitions(conn)
    assert len(tables) == 8
    conn.execute(f"set session_replication_role = {mode}; set role {role}".encode())
    for table in tables:
        # Statement guards speak even where no row is hit.
        for statement in (
            f"update {table} set actor = 'x'",
            f"update {table} set actor = 'x' where false",
            f"delete from {table}",
            f"delete from {table} where false",
            f"truncate {table}",
        ):
            with pytest.raises(psycopg.errors.DatabaseError) as error:
                conn.execute(statement.encode())
            assert (error.value.sqlstate, error.value.diag.message_hint) == (
                "UA001",
                "Events are only ever added, by capture and by auditctl.record_event.",
            ), statement
    assert conn.execute("select count(*) from auditctl.event where target = 'x'").fetchone() == (1,)
