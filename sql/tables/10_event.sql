-- The log itself: one row per captured change, read or business event. Nothing ever updates it.

comment on schema auditctl is 'auditctl: the write-once activity log; changed by migrations only';
-- Only its owner has USAGE, so that nobody else can name its functions, and none of them needs a revoke.
comment on schema auditctl_internal is 'auditctl: functions that only auditctl itself calls';
comment on schema auditctl_triggers is 'auditctl: generated capture functions; may be rebuilt at any time';

-- Names resolve for everyone, because any login may call auditctl.set_context; each object has its own privileges.
grant usage on schema auditctl to public;

create type auditctl.action as enum ('CREATE', 'READ', 'UPDATE', 'DELETE', 'TRUNCATE', 'EVENT');
comment on type auditctl.action is 'What happened: a row was created, read, updated or deleted, a table truncated, or a business event';

create type auditctl.actor_kind as enum ('application', 'database', 'system');
comment on type auditctl.actor_kind is 'How an actor is known: named by an application, the login itself, or nobody';

-- Columns of fixed length come first, so that no bytes are lost to alignment. No CHECK: PostgreSQL would prepare it for each INSERT.
create table auditctl.event (
    -- A role that may use every sequence could exhaust this one; then numbers repeat, and no write fails. The start, which
    -- install does not use, is for a restore of the schema: capture there counts before the numbers of the dump come.
    event_id bigint generated always as identity (start with 1000000000000 cycle),
    occurred_at timestamptz not null default pg_catalog.clock_timestamp(),
    xact_id xid8 not null default pg_catalog.pg_current_xact_id(),
    actor_kind auditctl.actor_kind not null,
    action auditctl.action not null,
    actor text,
    ip inet,
    db_user text not null default session_user,
    target text not null,
    target_id text,
    old_values jsonb,
    new_values jsonb,
    context jsonb,
    constraint event_pkey primary key (occurred_at, event_id)
) partition by range (occurred_at);
alter table auditctl.event alter column event_id restart with 1;
comment on table auditctl.event is 'The activity log: append-only, partitioned by month (UTC) of occurred_at';
comment on column auditctl.event.event_id is 'Identity; gaps come from rolled-back transactions, not from loss';
comment on column auditctl.event.occurred_at is 'clock_timestamp() at the capture of the row';
comment on column auditctl.event.xact_id is 'The transaction that made the change: pg_current_xact_id()';
comment on column auditctl.event.actor_kind is 'How the actor is known: application, database or system';
comment on column auditctl.event.action is 'What happened';
comment on column auditctl.event.actor is 'The user that an application named, or the database login; null for the system';
comment on column auditctl.event.ip is 'The address that a trusted application named, else the peer address of the connection';
comment on column auditctl.event.db_user is 'session_user: the login of the connection, regardless of the user that it names';
comment on column auditctl.event.target is 'schema.table as registered, or the target of a business event';
comment on column auditctl.event.target_id is 'The key of the row: its text for one column, a JSON array for several; null without a key';
comment on column auditctl.event.old_values is 'UPDATE: the changed columns before. DELETE: the whole row';
comment on column auditctl.event.new_values is 'UPDATE: the changed columns after. CREATE: the whole row';
comment on column auditctl.event.context is 'Additional facts: request id, reason, application_name, role, previous_target_id, claims that were not believed';

create index event_target_target_id_occurred_at_idx on auditctl.event (target, target_id, occurred_at);
create index event_actor_occurred_at_idx on auditctl.event (actor, occurred_at);
-- Summarizes which logins, tables, actions, kinds of users, transactions, addresses and requests occur in each 128 pages, and when; nearly
-- free to write. The collation and the hash separate these conditions from those that other indexes serve; see
-- auditctl/log/predicates.py. BRIN has no operators for xid8; as float8 no transaction id is too large.
create index event_summary_idx on auditctl.event using brin (
    event_id,
    occurred_at,
    db_user collate "C" text_bloom_ops (n_distinct_per_range = 64),
    target collate "C" text_bloom_ops (n_distinct_per_range = 64),
    (pg_catalog.hashenum(action)) int4_bloom_ops (n_distinct_per_range = 16),
    (pg_catalog.hashenum(actor_kind)) int4_bloom_ops (n_distinct_per_range = 16),
    (xact_id::text::float8),
    -- From 413 on, the filter would take more than 510 bytes, and PostgreSQL would compress it at each write to summarized blocks.
    (pg_catalog.host(ip)) collate "C" text_bloom_ops (n_distinct_per_range = 400),
    ip inet_minmax_multi_ops,
    -- Almost every transaction has another one: a filter for fewer would rule nothing out.
    ((context ->> 'request_id') collate "C") text_bloom_ops (n_distinct_per_range = 1500)
) with (pages_per_range = 128, autosummarize = on);
-- For rare actions: other events cost only the evaluation of the predicate, one comparison of enum values.
create index event_action_target_occurred_at_idx on auditctl.event (action, target, occurred_at)
    where action >= 'DELETE';

create table auditctl.event_default partition of auditctl.event default;
comment on table auditctl.event_default is 'Catches events of months without a partition, so that no write fails for lack of one';
