-- Who follows the log, and how far each has come.

create table auditctl.consumer (
    name text not null,
    owner text not null default session_user,
    filters jsonb not null,
    format text not null,
    snapshot text,
    goal text,
    after text,
    taken_at timestamptz,
    events bigint not null default 0,
    created_at timestamptz not null default pg_catalog.now(),
    read_at timestamptz not null default pg_catalog.now(),
    server_started_at timestamptz,
    process integer,
    constraint consumer_pkey primary key (name),
    constraint consumer_name_is_not_empty check (name <> ''),
    constraint consumer_events_are_counted check (events >= 0)
);
comment on table auditctl.consumer is 'Who follows the log: which events each consumer gets, and how far it has come';
comment on column auditctl.consumer.name is 'The name that follow --consumer gives it';
comment on column auditctl.consumer.owner is 'The login that follows, which alone moves it';
comment on column auditctl.consumer.filters is 'Which events it gets: the filters as they were given first';
comment on column auditctl.consumer.format is 'How they are written';
comment on column auditctl.consumer.snapshot is 'What was committed at this snapshot was written; null for nothing yet';
comment on column auditctl.consumer.goal is 'The snapshot up to which it is reading; null between two readings';
comment on column auditctl.consumer.after is 'The last event that was written of this reading: its time and number; null for none yet';
comment on column auditctl.consumer.taken_at is 'When the snapshot was taken';
comment on column auditctl.consumer.events is 'How many events were written, repeated ones included';
comment on column auditctl.consumer.created_at is 'When it began';
comment on column auditctl.consumer.read_at is 'When it last read the log; while it follows, at most some minutes ago';
comment on column auditctl.consumer.server_started_at is 'When the server was started on which it follows, or did last';
comment on column auditctl.consumer.process is 'The server process of the session that follows, or did last';
