-- The transactions with many events, counted ahead by upkeep, so that a list of them reads no events.

create table auditctl.large_transaction (
    xact_id xid8 not null,
    first_event_id bigint not null,
    last_event_id bigint not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    events bigint not null,
    parts jsonb not null,
    is_of_one_user boolean not null,
    -- In a restored log, transactions of several clusters have one number.
    constraint large_transaction_pkey primary key (xact_id, first_event_id),
    constraint large_transaction_has_events check (events > 0)
);
comment on table auditctl.large_transaction is 'The finished transactions with 100 events or more, counted by upkeep; it repeats what the log has';
comment on column auditctl.large_transaction.xact_id is 'The transaction';
comment on column auditctl.large_transaction.first_event_id is 'The smallest event_id of its events';
comment on column auditctl.large_transaction.last_event_id is 'The largest event_id of its events';
comment on column auditctl.large_transaction.first_at is 'The earliest occurred_at of its events';
comment on column auditctl.large_transaction.last_at is 'The latest occurred_at of its events';
comment on column auditctl.large_transaction.events is 'How many events it has in the log';
comment on column auditctl.large_transaction.parts is
    'What it did, most events first: an array of objects with target, action, events and columns, which is null where they were not read';
comment on column auditctl.large_transaction.is_of_one_user is 'Whether all its events have one actor';

create table auditctl.transaction_count (
    singleton boolean not null default true,
    counted_before xid8 not null,
    system_identifier bigint not null,
    database oid not null,
    counted_at timestamptz not null default pg_catalog.now(),
    constraint transaction_count_pkey primary key (singleton),
    constraint transaction_count_has_one_row check (singleton)
);
comment on table auditctl.transaction_count is 'How far upkeep has counted transactions; empty before it did';
comment on column auditctl.transaction_count.singleton is 'Always true, so that there is one row';
comment on column auditctl.transaction_count.counted_before is 'Every transaction before this one had ended, and was counted';
comment on column auditctl.transaction_count.system_identifier is 'The cluster, see pg_control_system(): numbers of another one say nothing here';
comment on column auditctl.transaction_count.database is 'The object id of the database';
comment on column auditctl.transaction_count.counted_at is 'When they were counted';
