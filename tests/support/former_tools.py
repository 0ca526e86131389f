"""Tables and triggers in the shape of the tools that people come from: docs/how-to/coming-from.md is run on them.

The columns and the names of triggers are those of supa_audit 0.3.1, django-pghistory 3.9, PostgreSQL-Audit 0.18 and
2ndQuadrant's audit trigger. The triggers here are simpler than theirs: only what they leave matters.
"""

from __future__ import annotations

from typing import LiteralString

SHOP: LiteralString = """
    create role dana login superuser; create role billing_web login;
    create schema billing;
    create table billing.customer (id int primary key, name text not null, card_number text, balance numeric);
    create table billing.invoice (id int primary key, customer_id int not null, amount numeric);
    create table billing.payment (invoice_id int, number int, amount numeric, primary key (invoice_id, number));
    create table billing.contract (id int primary key, terms text);
    grant usage on schema billing to billing_web;
    grant select, insert, update, delete on all tables in schema billing to billing_web
"""

SUPA_AUDIT: LiteralString = """
    create schema audit;
    create type audit.operation as enum ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE');
    create table audit.record_version (
        id bigserial primary key, record_id uuid, old_record_id uuid, op audit.operation not null,
        ts timestamptz not null default now(), table_oid oid not null, table_schema name not null,
        table_name name not null, record jsonb, old_record jsonb
    );
    create function audit.insert_update_delete_trigger() returns trigger language plpgsql security definer as $$
    begin
        insert into audit.record_version (op, table_oid, table_schema, table_name, record, old_record)
        values (tg_op::audit.operation, tg_relid, tg_table_schema, tg_table_name, to_jsonb(new), to_jsonb(old));
        return null;
    end $$;
    create function audit.disable_tracking(regclass) returns void language plpgsql as $$
    begin
        execute format('drop trigger if exists audit_i_u_d on %s', $1);
        execute format('drop trigger if exists audit_t on %s', $1);
    end $$;
    create trigger audit_i_u_d after insert or update or delete on billing.customer
        for each row execute function audit.insert_update_delete_trigger()
"""

PGHISTORY: LiteralString = """
    create table public.pghistory_context (
        id uuid primary key, created_at timestamptz not null, updated_at timestamptz not null, metadata jsonb not null
    );
    create table public.billing_invoiceevent (
        pgh_id serial primary key, pgh_created_at timestamptz not null, pgh_label text not null,
        id int not null, customer_id int not null, amount numeric, pgh_context_id uuid, pgh_obj_id int
    );
    create function public.pgtrigger_insert_insert_0a1b2() returns trigger language plpgsql security definer as $$
    declare
        v_row billing.invoice = coalesce(new, old);
    begin
        insert into public.billing_invoiceevent
               (pgh_created_at, pgh_label, id, customer_id, amount, pgh_context_id, pgh_obj_id)
        values (now(), lower(tg_op), v_row.id, v_row.customer_id, v_row.amount,
                nullif(current_setting('pghistory.context_id', true), '')::uuid, v_row.id);
        return null;
    end $$;
    create trigger pgtrigger_insert_insert_0a1b2 after insert on billing.invoice
        for each row execute function public.pgtrigger_insert_insert_0a1b2();
    create trigger pgtrigger_update_update_3c4d5 after update on billing.invoice
        for each row execute function public.pgtrigger_insert_insert_0a1b2();
    create trigger pgtrigger_delete_delete_6e7f8 after delete on billing.invoice
        for each row execute function public.pgtrigger_insert_insert_0a1b2()
"""

POSTGRESQL_AUDIT: LiteralString = """
    create table public.transaction (
        id bigserial primary key, native_transaction_id xid8 unique, issued_at timestamp, client_addr inet,
        actor_id text
    );
    create table public.activity (
        id bigserial primary key, schema_name text, table_name text, relid int, issued_at timestamp,
        native_transaction_id xid8, verb text, old_data jsonb default '{}', changed_data jsonb default '{}',
        transaction_id bigint references public.transaction
    );
    create function public.create_activity() returns trigger language plpgsql security definer as $$
    begin
        insert into public.activity (schema_name, table_name, relid, issued_at, native_transaction_id, verb, old_data,
                                     changed_data, transaction_id)
        select tg_table_schema, tg_table_name, tg_relid::int, statement_timestamp() at time zone 'UTC',
               pg_current_xact_id(), lower(tg_op), coalesce(to_jsonb(old), '{}'),
               coalesce((select jsonb_object_agg(pair.key, pair.value) from jsonb_each(to_jsonb(new)) as pair
                          where to_jsonb(old) -> pair.key is distinct from pair.value), '{}'),
               (select id from public.transaction where native_transaction_id = pg_current_xact_id());
        return null;
    end $$;
    create trigger audit_trigger_row after insert or update or delete on billing.payment
        for each row execute function public.create_activity()
"""

AUDIT_TRIGGER: LiteralString = """
    create extension hstore schema public;
    create table audit.logged_actions (
        event_id bigserial primary key, schema_name text not null, table_name text not null, relid oid not null,
        session_user_name text, action_tstamp_tx timestamptz not null, action_tstamp_stm timestamptz not null,
        action_tstamp_clk timestamptz not null, transaction_id bigint, application_name text, client_addr inet,
        client_port integer, client_query text, action text not null, row_data public.hstore,
        changed_fields public.hstore, statement_only boolean not null
    );
    create function audit.if_modified_func() returns trigger language plpgsql security definer
        set search_path = pg_catalog, public as $$
    begin
        insert into audit.logged_actions
               (schema_name, table_name, relid, session_user_name, action_tstamp_tx, action_tstamp_stm,
                action_tstamp_clk, transaction_id, application_name, client_addr, client_query, action, row_data,
                changed_fields, statement_only)
        values (tg_table_schema, tg_table_name, tg_relid, session_user, now(), statement_timestamp(), clock_timestamp(),
                txid_current(), current_setting('application_name'), inet_client_addr(), current_query(),
                left(tg_op, 1), case when tg_level = 'ROW' then hstore(coalesce(old, new)) end,
                case when tg_op = 'UPDATE' then hstore(new) - hstore(old) end, tg_level = 'STATEMENT');
        return null;
    end $$;
    create trigger audit_trigger_row after insert or update or delete on billing.contract
        for each row execute function audit.if_modified_func();
    create trigger audit_trigger_stm after truncate on billing.contract
        for each statement execute function audit.if_modified_func()
"""

WORK: LiteralString = """
    insert into billing.customer values (7, 'Brandt', '4242424242424242', 10.00);
    update billing.customer set balance = 12.50, card_number = '5555555555554444' where id = 7;
    insert into billing.customer values (8, 'Vogel', null, 0);
    delete from billing.customer where id = 8;
    insert into public.pghistory_context
        values ('7b0c1f6e-0000-4000-8000-000000000001', now(), now(), '{"user": 42, "url": "/invoices/1"}');
    set pghistory.context_id = '7b0c1f6e-0000-4000-8000-000000000001';
    insert into billing.invoice values (1, 7, 12.50);
    update billing.invoice set amount = 13.00 where id = 1;
    reset pghistory.context_id;
    delete from billing.invoice where id = 1;
    begin;
    insert into public.transaction (native_transaction_id, issued_at, client_addr, actor_id)
        values (pg_current_xact_id(), now() at time zone 'UTC', '203.0.113.7', '42');
    insert into billing.payment values (1, 1, 12.50);
    update billing.payment set amount = 13.00;
    commit;
    insert into billing.contract values (3, 'net 30');
    update billing.contract set terms = 'net 14';
    truncate billing.contract
"""
"""What the old tools have recorded before auditctl comes."""

AGE: tuple[LiteralString, ...] = (
    "update audit.record_version set ts = ts - interval '90 days'",
    "update public.billing_invoiceevent set pgh_created_at = pgh_created_at - interval '90 days'",
    "update public.activity set issued_at = issued_at - interval '90 days'",
    "update audit.logged_actions set action_tstamp_clk = action_tstamp_clk - interval '90 days'",
)
"""Makes that history three months old."""
