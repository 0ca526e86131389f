-- The months that are in files of an archive, so that upkeep may drop them, and readers find the files.

create table auditctl.archived_month (
    archive_id bigint generated always as identity,
    month text not null,
    location text not null,
    database text not null,
    rows bigint not null,
    fingerprint numeric not null,
    hot_rows bigint not null default 0,
    hot_fingerprint numeric not null default 0,
    content text not null,
    manifest text not null,
    targets text[] not null,
    is_proved boolean not null,
    archived_at timestamptz not null default pg_catalog.now(),
    event_id bigint not null,
    dropped_at timestamptz,
    ended_at timestamptz,
    restored_at timestamptz,
    expired_at timestamptz,
    deleted_at timestamptz,
    constraint archived_month_pkey primary key (archive_id),
    constraint archived_month_is_a_month check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    constraint archived_month_has_a_location check (location <> '' and database <> ''),
    constraint archived_month_has_events check (rows > 0),
    constraint archived_month_has_digests check (content ~ '^[0-9a-f]{64}$' and manifest ~ '^[0-9a-f]{64}$')
);
comment on table auditctl.archived_month is 'One row each time a month was archived; once it is dropped, all its events but the hot ones are in files alone';
comment on column auditctl.archived_month.archive_id is 'Identity';
comment on column auditctl.archived_month.month is 'The month in UTC, such as 2026-11';
comment on column auditctl.archived_month.location is 'The archive, as auditctl archive was given it';
comment on column auditctl.archived_month.database is 'The name of the database at that time, which is part of the path of the files';
comment on column auditctl.archived_month.rows is 'How many events it has';
comment on column auditctl.archived_month.fingerprint is 'A sum over its events, by which upkeep finds out whether the table still has what the files have; 0 once it has ended';
comment on column auditctl.archived_month.hot_rows is 'How many of them stay hot: those of auditctl itself that upkeep leaves in the database';
comment on column auditctl.archived_month.hot_fingerprint is 'Such a sum over these alone';
comment on column auditctl.archived_month.content is 'The SHA-256 of its events in the order of the files, in hex';
comment on column auditctl.archived_month.manifest is 'The SHA-256 of its manifest, in hex, by which an altered one is found';
comment on column auditctl.archived_month.targets is 'The targets of its events that do not stay hot';
comment on column auditctl.archived_month.is_proved is 'Whether the files have what proves its events, as those of a sealed log need it';
comment on column auditctl.archived_month.archived_at is 'When the files were complete and read back';
comment on column auditctl.archived_month.event_id is 'The event, of target auditctl.archive, that says so';
comment on column auditctl.archived_month.dropped_at is 'When upkeep dropped its events, but the hot ones; null while the log still has them';
comment on column auditctl.archived_month.ended_at is 'When it was archived anew, restored or deleted, or upkeep found it changed; null while it counts';
comment on column auditctl.archived_month.restored_at is 'When it was brought back into the log; null if it was not';
comment on column auditctl.archived_month.expired_at is 'When the log announced that its files are deleted, as all its events have expired; null if it did not';
comment on column auditctl.archived_month.deleted_at is 'When its files were deleted; null while they are there';

create unique index archived_month_month_idx on auditctl.archived_month (month) where ended_at is null;
