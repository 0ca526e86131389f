-- Erasures of recorded values, which privacy law may require: the one exception to write-once. Each is announced by a row
-- here and by an event, in the transaction that changes the event.

create table auditctl.erasure (
    event_id bigint not null,
    occurred_at timestamptz not null,
    erased_in bigint not null,
    places text[] not null,
    reason text not null,
    erased_by text not null default session_user,
    erased_at timestamptz not null default pg_catalog.clock_timestamp(),
    xact_id xid8 not null default pg_catalog.pg_current_xact_id(),
    block bigint,
    place bigint,
    units text[] not null default '{}',
    salts bytea,
    commitments bytea,
    remaining bytea,
    constraint erasure_pkey primary key (occurred_at, event_id, erased_in),
    constraint erasure_has_places check (places <> '{}'),
    constraint erasure_has_a_reason check (reason ~ '[^[:space:]]')
);
comment on table auditctl.erasure is 'One row for each event and erasure: which values were erased, by whom and why, and what proves the others; deleted after its event';
comment on column auditctl.erasure.event_id is 'The event_id of the event';
comment on column auditctl.erasure.occurred_at is 'The occurred_at of the event';
comment on column auditctl.erasure.erased_in is 'The event, of target auditctl.erasure, that announces it';
comment on column auditctl.erasure.places is 'What was erased: values.NAME for a column of the audited table, event.NAME for a column of the event';
comment on column auditctl.erasure.reason is 'Why';
comment on column auditctl.erasure.erased_by is 'The login that erased it';
comment on column auditctl.erasure.erased_at is 'When';
comment on column auditctl.erasure.xact_id is 'The transaction that erased it: only in this one may the event change';
comment on column auditctl.erasure.block is 'The block that sealed the event before; null if none had';
comment on column auditctl.erasure.place is 'The place of the event in that block, from 0';
comment on column auditctl.erasure.units is 'The columns of the event, in the order of its leaf, that this or an earlier erasure changed after the event was sealed';
comment on column auditctl.erasure.salts is 'The salts of the seven erasable columns in the order of the leaf, 16 bytes each: the sealed ones, and new ones for those in units; null without a block, and once another erasure of the event followed';
comment on column auditctl.erasure.commitments is 'The sealed commitments of the columns in units, 32 bytes each';
comment on column auditctl.erasure.remaining is 'The commitments of what remains in the columns in units, with their new salts, 32 bytes each; zeros for null';
