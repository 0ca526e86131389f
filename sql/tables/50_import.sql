-- Progress of reading the server's log: each line counts once, and each file continues where reading stopped.

create table auditctl.read_line (
    line_key uuid not null,
    logged_at timestamptz not null,
    waiting jsonb,
    constraint read_line_pkey primary key (line_key)
);
comment on table auditctl.read_line is 'One row for each line that was imported from the server''s log, so that none counts twice';
comment on column auditctl.read_line.line_key is 'Identifies what the line says: by session and statement or line, or by the keyed hash of a line that auditctl wrote';
comment on column auditctl.read_line.logged_at is 'When the line was written';
comment on column auditctl.read_line.waiting is 'The read, if its transaction had not ended when the line was imported; null once its outcome is known';

create index read_line_waiting_idx on auditctl.read_line (logged_at) where waiting is not null;

create table auditctl.log_file (
    fingerprint text not null,
    name text not null,
    format text not null,
    position bigint not null,
    line bigint not null,
    tail text not null,
    size bigint not null,
    read_by text not null default session_user,
    read_at timestamptz not null default pg_catalog.now(),
    constraint log_file_pkey primary key (fingerprint),
    constraint log_file_position_is_not_negative check (position >= 0)
);
comment on table auditctl.log_file is 'How far each file of the server''s log was read; a renamed or compressed file counts as the same file';
comment on column auditctl.log_file.fingerprint is 'SHA-256 of the first line that is a record, which no two files share';
comment on column auditctl.log_file.name is 'The file''s name when it was read last, without its folder';
comment on column auditctl.log_file.format is 'Its format, such as jsonlog';
comment on column auditctl.log_file.position is 'How many bytes of it were processed, counted uncompressed';
comment on column auditctl.log_file.line is 'How many lines those are';
comment on column auditctl.log_file.tail is 'SHA-256 of the bytes before the position: a different hash means a different file, which is read from its start';
comment on column auditctl.log_file.size is 'Size on disk when it was read to its end; -1 if it was not';
comment on column auditctl.log_file.read_by is 'The login that read it last';
comment on column auditctl.log_file.read_at is 'When it was read last';

create table auditctl.import_horizon (
    pruned_before timestamptz not null
);
comment on table auditctl.import_horizon is 'One row, which each batch of an import locks, so that one batch is stored at a time';
comment on column auditctl.import_horizon.pruned_before is 'Lines written before this time are no longer imported, as the record of their import was deleted';
