"""The coverage guard keeps the store itself: not even the login that installed changes it, except by upkeep."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import connect, prepared
from tests.support.capturing import events
from tests.support.guarding import make_audited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow

MONTH = "(select max(c.oid::regclass::text) from pg_class as c where c.relname ~ '^event_2' and c.relkind = 'r')"

CHANGES: list[LiteralString] = [
    "drop table auditctl.event_default",
    "drop table auditctl.event_default, auditctl.event cascade",
    "do $$ begin execute 'drop table ' || MONTH; end $$",
    "do $$ begin execute 'alter table auditctl.event detach partition ' || MONTH; end $$",
    "do $$ begin execute 'alter table ' || MONTH || ' rename to old'; end $$",
    "do $$ begin execute 'alter table ' || MONTH || ' set schema public'; end $$",
    "do $$ begin execute 'alter table ' || MONTH || ' disable trigger all'; end $$",
    "alter table auditctl.event disable trigger all",
    "alter table auditctl.event owner to current_user",
    "alter table auditctl.event add column x text default 'x'",
    "alter table auditctl.event alter db_user set default 'me'",
    "alter table auditctl.event drop constraint event_pkey",
    "alter table auditctl.event disable row level security",
    "alter table auditctl.rule set schema public",
    "alter table auditctl.rule rename to rules",
    "alter table auditctl.retention drop constraint retention_keep_is_a_time",
    "alter sequence auditctl.event_event_id_seq restart",
    "alter type auditctl.action add value 'OTHER'",
    "alter type auditctl.identity add attribute x text",
    "alter view auditctl.activity rename to activities",
    "alter schema auditctl rename to former",
    "alter schema auditctl_triggers owner to current_user",
    "drop table auditctl.place",
    "drop schema auditctl cascade",
    "drop schema auditctl_internal cascade",
    "drop schema auditctl_triggers cascade",
    "drop owned by auditctl_owner cascade",
    "drop trigger event_write_once_row on auditctl.event",
    "drop trigger hold_guarded on auditctl.hold",
    "drop policy rule_is_readable on auditctl.rule",
    "drop index auditctl.event_actor_occurred_at_idx",
    "drop function auditctl_internal.refuse_change() cascade",
    "drop function auditctl_guard.guard_ddl(), auditctl_guard.guard_drop() cascade",
    "alter function auditctl_internal.refuse_change() rename to refuse_nothing",
    "alter function auditctl_internal.watch_ddl(text) security invoker",
    "alter function auditctl_internal.identify() set schema public",
    "alter function auditctl_triggers.s__a__update() security invoker",
    "alter function auditctl_triggers.s__a__update() rename to other",
    "create or replace function auditctl_internal.refuse_change() returns trigger language plpgsql "
    "as 'begin return old; end'",
    "create or replace function auditctl_internal.begin_change(p_relations regclass[]) returns void language sql as ''",
    "create or replace function auditctl_triggers.s__a__update() returns trigger language plpgsql security definer "
    "as 'begin return null; end'",
    "delete from auditctl.capture; create or replace function auditctl_triggers.s__a__update() returns trigger "
    "language plpgsql security definer as 'begin return null; end'",
    "update auditctl.template set parts = '{begin return null; end}'",
    "insert into auditctl.member values ('auditctl_owner', 'me')",
    "insert into auditctl_guard.pass values (pg_current_xact_id()); drop table auditctl.hold",
    "select auditctl_guard.open_pass(); drop table auditctl.hold",
    "select auditctl_guard.step(); drop table auditctl.hold cascade",
    "create function auditctl_internal.insert_event(text) returns bigint language sql as 'select 1::bigint'",
    "create function auditctl_triggers.mine() returns int language sql as 'select 1'; "
    "create view auditctl_triggers.mine as select 1",
    "alter view auditctl.activity set (security_barrier = on)",
    "create or replace view auditctl_internal.mine as select 1",
    "create table auditctl.mine ()",
    "create table public.mine () inherits (auditctl.rule)",
    "create table public.mine partition of auditctl.event for values from ('2001-01-01') to ('2001-02-01')",
    "create table public.mine (name text references auditctl.rule)",
    "create index on auditctl.event (ip)",
    "create rule mine as on insert to auditctl.rule do instead nothing",
    "create policy mine on auditctl.event for insert with check (true)",
    "create statistics auditctl.mine on action, target from auditctl.event",
    "create trigger mine before insert on auditctl.event for each row "
    "execute function auditctl_internal.refuse_change()",
    "create cast (auditctl.action as json) with inout",
    "create function public.mine() returns int language sql as 'select 1'",
    "create function public.mine() returns int language plpgsql as "
    "$$ begin drop table auditctl.hold; return 1; end $$; "
    "create materialized view public.m as select public.mine()",
]  # fmt: skip
"""Each as auditctl_owner."""


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """A database with audited tables."""
    with prepared(server, template, lambda dsn: make_audited(dsn, owner_name)) as name:
        yield name


@pytest.fixture
def installer(owner: Login, conn: psycopg.Connection) -> Login:
    """The owner of the audited tables, who can act as auditctl_owner like the login that installed."""
    conn.execute(
        "grant auditctl_owner, auditctl_admin to {}; grant create on schema public to auditctl_owner".format(  # noqa: UP032
            owner.name
        ).encode()
    )
    # To rename a schema.
    grant = sql.SQL("grant create on database {} to auditctl_owner")
    conn.execute(grant.format(sql.Identifier(conn.info.dbname)))
    return owner


DEFINITIONS: LiteralString = """
    select 'function', p.oid, p.prosrc, p.prosecdef::text, p.proowner, p.proname::text from pg_proc as p
     where p.pronamespace::regnamespace::text ^@ 'auditctl' and p.proname <> 'mine'
     union all
    select 'relation', c.oid, c.relname, c.relrowsecurity::text || c.relispartition, c.relowner, c.relnamespace::text
      from pg_class as c where c.relnamespace::regnamespace::text ^@ 'auditctl'
     union all
    select 'trigger', t.oid, t.tgname, t.tgenabled::text, t.tgfoid, t.tgrelid::text from pg_trigger as t
     order by 1, 2
"""


def test_nothing_of_the_store_changes_by_who_can_act_as_its_owner(installer: Login, conn: psycopg.Connection) -> None:
    before = conn.execute(DEFINITIONS).fetchall()
    passed = []
    with connect(installer.dsn) as session:
        for change in CHANGES:
            session.execute("begin; set local role auditctl_owner")
            try:
                session.execute(change.replace("MONTH", MONTH).encode())
            except psycopg.DatabaseError as error:
                if error.sqlstate not in ("UA003", "42501"):
                    passed.append(f"{change}: {error}")
            else:
                passed.append(change)
            session.execute("rollback")
    assert passed == []
    assert conn.execute(DEFINITIONS).fetchall() == before


@pytest.mark.parametrize(
    "change",
    [
        "drop table MONTH",
        "alter table auditctl.event detach partition MONTH",
        "alter table MONTH rename to gone",
        "alter table MONTH set schema public",
        "drop table auditctl.event_default",
        "drop schema auditctl cascade",
    ],
)
def test_a_superuser_takes_no_part_of_the_log_away_as_its_owner(conn: psycopg.Connection, change: str) -> None:
    month = conn.execute(f"select {MONTH}".encode()).fetchall()[0][0]
    conn.execute("grant create on schema public to auditctl_owner")
    with pytest.raises(psycopg.DatabaseError) as refusal, conn.transaction():
        conn.execute("set local role auditctl_owner")
        conn.execute(change.replace("MONTH", month).encode())
    assert refusal.value.sqlstate == "UA003"


def test_configuring_and_upkeep_go_on(
    installer: Login, db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    with connect(installer.dsn) as session:
        session.execute("create table s.new (id int primary key, v text, w text)")
        auditctl("enable", "s.new", dsn=installer.dsn, check=0)
        auditctl("enable", "s.new", "--mask", "v", "--exclude", "w", dsn=installer.dsn, check=0)
        session.execute("insert into s.new values (1, 'v', 'w'); alter table s.new rename to newer")
        auditctl("apply", "--yes", dsn=installer.dsn, check=0)
        session.execute("alter table s.newer add column x int; insert into s.newer (id) values (2)")
        auditctl("disable", "s.a", dsn=installer.dsn, check=0)
        session.execute("drop table s.a; create table s.p2 partition of s.p for values from (10) to (20)")
    auditctl("check", dsn=installer.dsn, check=0)
    assert events(conn, "s.new")[0][-1] == {"id": 1, "v": {"$masked": True}}
    conn.execute("do $$ begin execute 'drop table ' || MONTH; end $$".replace("MONTH", MONTH).encode())
    auditctl("maintain", dsn=installer.dsn, check=0)
