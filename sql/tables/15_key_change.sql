-- Updates that changed a key, by which a history is followed in both directions. Such updates are rare, so the table is
-- small and costs other events nothing. It refers to the log without a foreign key, for which each event would pay.

create table auditctl.key_change (
    event_id bigint not null,
    occurred_at timestamptz not null,
    target text not null,
    previous_target_id text,
    target_id text,
    constraint key_change_pkey primary key (occurred_at, event_id)
);
comment on table auditctl.key_change is 'One row for each event that changed a key, written with it, write-once, and deleted after it';
comment on column auditctl.key_change.event_id is 'The event_id of the event';
comment on column auditctl.key_change.occurred_at is 'The occurred_at of the event';
comment on column auditctl.key_change.target is 'The target of the event';
comment on column auditctl.key_change.previous_target_id is 'The key before the update; null where a column of the key was null';
comment on column auditctl.key_change.target_id is 'The key after the update; null where a column of the key is null';

create index key_change_target_target_id_occurred_at_idx on auditctl.key_change (target, target_id, occurred_at);
create index key_change_target_previous_target_id_occurred_at_idx
    on auditctl.key_change (target, previous_target_id, occurred_at);
