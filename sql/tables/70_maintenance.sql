-- The state of upkeep.

create table auditctl.maintenance (
    singleton boolean not null default true,
    ran_at timestamptz,
    moving_since timestamptz,
    moved_at timestamptz,
    moved_id bigint,
    moved bigint not null default 0,
    skipped jsonb not null default '{}',
    skipped_by integer,
    constraint maintenance_pkey primary key (singleton),
    constraint maintenance_has_one_row check (singleton)
);
comment on table auditctl.maintenance is 'The progress of upkeep; the session that locks the row does the next step';
comment on column auditctl.maintenance.singleton is 'Always true, so that there is one row';
comment on column auditctl.maintenance.ran_at is 'When maintain last found nothing more to do';
comment on column auditctl.maintenance.moving_since is 'When the current move out of the DEFAULT partition began; null while there is none';
comment on column auditctl.maintenance.moved_at is 'occurred_at of the last event that was copied';
comment on column auditctl.maintenance.moved_id is 'event_id of the last event that was copied';
comment on column auditctl.maintenance.moved is 'How many events were copied';
comment on column auditctl.maintenance.skipped is 'The partitions that the current run leaves to a later one, each with the reason; null for an empty month';
comment on column auditctl.maintenance.skipped_by is 'The process of that run; null between runs';
