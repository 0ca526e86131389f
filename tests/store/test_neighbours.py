"""Other people's schema `audit`, with their triggers on the same tables and roles of their own, beside the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl import database, revision, store
from auditctl.errors import StoreError
from tests.fixtures.databases import connect
from tests.support.capturing import audit, events
from tests.support.recorded import documents

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow

LOGGED_ACTIONS: LiteralString = """
    create schema if not exists audit;
    create table audit.logged_actions (
        event_id bigserial primary key, schema_name text not null, table_name text not null, relid oid not null,
        session_user_name text, action_tstamp_tx timestamptz not null, transaction_id bigint, client_addr inet,
        client_query text, action text not null check (action in ('I', 'D', 'U', 'T')), row_data jsonb,
        changed_fields jsonb, statement_only boolean not null
    );
    create function audit.if_modified_func() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public as $body$
    declare
        v_row audit.logged_actions;
    begin
        v_row := row(
            nextval('audit.logged_actions_event_id_seq'), tg_table_schema, tg_table_name, tg_relid, session_user, now(),
            txid_current(), inet_client_addr(), current_query(), left(tg_op, 1), null, null, tg_level = 'STATEMENT'
        );
        if tg_level = 'ROW' then
            v_row.row_data := case when tg_op = 'INSERT' then to_jsonb(new) else to_jsonb(old) end;
            if tg_op = 'UPDATE' then
                v_row.changed_fields := (
                    select jsonb_object_agg(n.key, n.value) from jsonb_each(to_jsonb(new)) as n
                     where n.value is distinct from to_jsonb(old) -> n.key
                );
            end if;
        end if;
        insert into audit.logged_actions values (v_row.*);
        return null;
    end $body$;
    create function audit.audit_table(p_table regclass) returns void language plpgsql as $body$
    begin
        execute format('create trigger audit_trigger_row after insert or update or delete on %s '
                       'for each row execute function audit.if_modified_func()', p_table);
        execute format('create trigger audit_trigger_stm after truncate on %s '
                       'for each statement execute function audit.if_modified_func()', p_table);
    end $body$;
"""
"""2ndQuadrant's audit trigger in miniature, with jsonb for hstore."""

RECORD_VERSION: LiteralString = """
    create schema if not exists audit;
    create type audit.operation as enum ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE');
    create table audit.record_version (
        id bigserial primary key, record_id uuid, old_record_id uuid, op audit.operation not null,
        ts timestamptz not null default now(), table_oid oid not null, table_schema name not null,
        table_name name not null, record jsonb, old_record jsonb,
        check (coalesce(record_id, old_record_id) is not null or op = 'TRUNCATE')
    );
    create function audit.to_record_id(p_oid oid, p_row jsonb) returns uuid language sql immutable
    as $body$ select case when p_row is null then null else md5(p_oid::text || (p_row ->> 'id'))::uuid end $body$;
    create function audit.insert_update_delete_trigger() returns trigger
    language plpgsql security definer set search_path = '' as $body$
    declare
        v_new jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
        v_old jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    begin
        insert into audit.record_version
            (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
        values (audit.to_record_id(tg_relid, v_new), audit.to_record_id(tg_relid, v_old), tg_op::audit.operation,
                tg_relid, tg_table_schema, tg_table_name, v_new, v_old);
        return coalesce(new, old);
    end $body$;
    create function audit.truncate_trigger() returns trigger
    language plpgsql security definer set search_path = '' as $body$
    begin
        insert into audit.record_version (op, table_oid, table_schema, table_name)
        values (tg_op::audit.operation, tg_relid, tg_table_schema, tg_table_name);
        return null;
    end $body$;
    create function audit.enable_tracking(p_table regclass) returns void language plpgsql as $body$
    begin
        execute format('create trigger audit_i_u_d after insert or update or delete on %s '
                       'for each row execute function audit.insert_update_delete_trigger()', p_table);
        execute format('create trigger audit_t after truncate on %s '
                       'for each statement execute function audit.truncate_trigger()', p_table);
    end $body$;
"""
"""supa_audit in miniature."""

TABLES: LiteralString = """
    create schema billing; create table billing.invoice (id int primary key, total numeric);
    select audit.audit_table('billing.invoice'); select audit.enable_tracking('billing.invoice')
"""

WRITES: LiteralString = """
    insert into billing.invoice values (1, 10), (2, 20); update billing.invoice set total = 11 where id = 1;
    delete from billing.invoice where id = 2; truncate billing.invoice
"""

THEIRS: LiteralString = """
    select c.oid::regclass::text, c.relacl::text, c.relowner::regrole::text from pg_class as c
     where c.relnamespace = 'audit'::regnamespace
     union all
    select p.oid::regprocedure::text, p.prosrc, p.proowner::regrole::text from pg_proc as p
     where p.pronamespace = 'audit'::regnamespace
     union all
    select t.tgrelid::regclass || ' ' || t.tgname, t.tgenabled::text, pg_get_triggerdef(t.oid) from pg_trigger as t
     where t.tgfoid::regproc::text like 'audit.%' order by 1
"""

WRITTEN = [
    ("billing.invoice", "CREATE", "1", None, {"id": 1, "total": 10}),
    ("billing.invoice", "CREATE", "2", None, {"id": 2, "total": 20}),
    ("billing.invoice", "UPDATE", "1", {"total": 10}, {"total": 11}),
    ("billing.invoice", "DELETE", "2", {"id": 2, "total": 20}, None),
    ("billing.invoice", "TRUNCATE", None, None, None),
]


@pytest.fixture
def auditor(empty_db: str, login: MakeLogin, role_names: list[str]) -> Login:
    """A member of their role `audit_reader`."""
    with connect(empty_db) as conn:
        conn.execute("create role audit_reader")
        role_names.append("audit_reader")
    return login("auditor", roles=["audit_reader"], dsn=empty_db)


@pytest.fixture
def theirs(empty_db: str, auditor: Login) -> str:
    """A database in which others write to logs of their own."""
    with connect(empty_db) as conn:
        conn.execute(LOGGED_ACTIONS + RECORD_VERSION)
        conn.execute(
            "grant usage on schema audit to audit_reader; grant select on all tables in schema audit to audit_reader"
        )
        conn.execute("create table audit.alembic_version (version_num varchar(32)); create table audit.event (id int)")
        conn.execute("insert into audit.alembic_version values ('0004'); create schema audit_triggers")
        conn.execute(TABLES)
    return empty_db


def logged(conn: psycopg.Connection) -> list[Any]:
    """What their logs hold of billing.invoice."""
    return [
        conn.execute("select action, row_data, changed_fields from audit.logged_actions order by event_id").fetchall(),
        conn.execute("select op::text, record, old_record from audit.record_version order by id").fetchall(),
    ]


def test_install_leaves_theirs_alone_and_all_logs_record_the_same_writes(theirs: str) -> None:
    with connect(theirs) as conn:
        before = conn.execute(THEIRS).fetchall()
        conn.execute(WRITES)
        alone = logged(conn)
        conn.execute("truncate audit.logged_actions, audit.record_version")
        store.install(theirs)
        audit(theirs, "billing.invoice")
        assert conn.execute(THEIRS).fetchall() == before
        conn.execute(WRITES)
        assert logged(conn) == alone
        assert [len(rows) for rows in alone] == [5, 5]
        assert events(conn, "billing.invoice") == WRITTEN


def test_their_tables_are_audited_like_any_other(theirs: str, auditctl: RunAuditctl) -> None:
    store.install(theirs)
    auditctl("enable", "audit.logged_actions", "--actions", "create,delete", dsn=theirs, check=0)
    auditctl("check", dsn=theirs, check=0)
    with connect(theirs) as conn:
        conn.execute(WRITES)
        conn.execute("delete from audit.logged_actions where action = 'T'")
        found = events(conn, "audit.logged_actions")
    assert [(action, key) for _, action, key, *_ in found] == [
        *(("CREATE", str(n)) for n in range(1, 6)),
        ("DELETE", "5"),
    ]
    shown = documents(auditctl("log", "--target", "audit.*", "--format", "jsonl", dsn=theirs, check=0).out)
    assert len(shown) == 6
    assert auditctl("log", "--target", "auditctl.rule", "--format", "jsonl", dsn=theirs, check=0).out.count("\n") == 1


def test_events_under_their_names_are_recorded(theirs: str, login: MakeLogin, auditctl: RunAuditctl) -> None:
    store.install(theirs)
    web = login("web", roles=["auditctl_app"], dsn=theirs)
    names = ["audit.login", "audit", "audit_triggers.x", "Audit.Rule", "auditor", "auditctlx.y", "auditctl_internals.z"]
    with connect(web.dsn) as session:
        for name in names:
            session.execute("select auditctl.record_event(%s, '1', 'seen')", [name])
    found = documents(auditctl("log", "--user", "System", "--format", "jsonl", dsn=theirs, check=0).out)
    assert sorted(event["target"] for event in found) == sorted(names)
    file = 'table = []\n[[event]]\nname = "audit.*"\nenabled = false\n[[event]]\nname = "audit.login"\n'
    auditctl("apply", "--yes", "-", dsn=theirs, input=file, check=0)


def test_reads_of_their_tables_are_imported(theirs: str) -> None:
    store.install(theirs)
    lines = (
        '[{"at": "2026-01-01Z", "key": "k 1", "target": "audit.event"},'
        ' {"at": "2026-01-01Z", "key": "k 2", "target": "AUDITCTL.rule"},'
        ' {"at": "2026-01-01Z", "key": "k 3", "target": "\\"auditctl_internal\\".x"},'
        ' {"at": "2026-01-01Z", "key": "k 4", "target": "auditctl_triggers"}]'
    )
    with connect(theirs) as conn:
        found = conn.execute(
            "select r.line ->> 'target' from auditctl_internal.importable_reads(%s, '2025-01-01Z') as r", [lines]
        ).fetchall()
    assert found == [("audit.event",)]


def test_their_role_gains_nothing_and_can_be_granted_ours(theirs: str, auditor: Login, auditctl: RunAuditctl) -> None:
    store.install(theirs)
    with connect(auditor.dsn) as session:
        assert session.execute("select count(*) from audit.logged_actions").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select count(*) from auditctl.event")
        auditctl("grant", "reader", auditor.name, dsn=theirs, check=0)
        assert session.execute("select count(*) >= 0 from auditctl.event").fetchone() == (True,)


def test_a_schema_of_theirs_that_is_closed_disturbs_no_command(theirs: str, login: MakeLogin) -> None:
    stranger = login("stranger", dsn=theirs)
    with connect(theirs) as conn:
        conn.execute("revoke all on schema audit from public")
    with database.connect(stranger.dsn) as conn, pytest.raises(StoreError, match="has no auditctl store"):
        revision.require(conn)


def test_a_store_that_was_never_released_is_refused_by_name(
    empty_db: str, role_names: list[str], auditctl: RunAuditctl
) -> None:
    script = store.install_script()
    with connect(empty_db) as conn:
        conn.execute("create role audit_owner")
        role_names.append("audit_owner")
        for name in ("audit", "audit_triggers"):
            conn.execute(sql.SQL("create schema {} authorization audit_owner").format(sql.Identifier(name)))
        for name in ("alembic_version", "event", "rule"):
            conn.execute(sql.SQL("create table audit.{} ()").format(sql.Identifier(name)))
        with pytest.raises(psycopg.errors.DuplicateObject, match="was never released"):
            conn.execute(script.encode())
    message, hint = revision.UNRELEASED
    for command in (["install"], ["tables"], ["log"], ["doctor"]):
        done = auditctl(*command, dsn=empty_db, check=6)
        assert (done.out, done.err) == ("", f"error: {message}\nhint: {hint}\n")
