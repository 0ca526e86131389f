-- What monitoring asks about: the last runs of the tool, events by day, and what was refused.

create table auditctl.run (
    run text not null,
    ran_at timestamptz not null default pg_catalog.now(),
    is_sound boolean not null,
    sound_at timestamptz,
    findings integer not null,
    constraint run_pkey primary key (run),
    constraint run_is_known check (run in ('check', 'doctor', 'maintain', 'seal', 'checkpoint', 'verify')),
    constraint run_findings_are_counted check (findings >= 0)
);
comment on table auditctl.run is 'The last run of each command that somebody should notice when it stops or finds something';
comment on column auditctl.run.run is 'The command';
comment on column auditctl.run.ran_at is 'When it ran last, as an administrator';
comment on column auditctl.run.is_sound is 'Whether it found nothing, or everything was done';
comment on column auditctl.run.sound_at is 'When that was so last; null if never';
comment on column auditctl.run.findings is 'How many differences or findings there were, or steps that could not be done';

create table auditctl.day_count (
    day date not null,
    class text not null,
    events bigint not null,
    bytes bigint not null,
    constraint day_count_pkey primary key (day, class),
    constraint day_count_class_is_known check (class in ('table', 'read', 'event', 'auditctl'))
);
comment on table auditctl.day_count is 'The events of each day (UTC) of the last weeks, counted by upkeep when the day is over';
comment on column auditctl.day_count.day is 'The day in UTC';
comment on column auditctl.day_count.class is 'table for changes of rows, read for reads, event for business events, auditctl for what auditctl records of itself';
comment on column auditctl.day_count.events is 'How many events';
comment on column auditctl.day_count.bytes is 'Their size in the table in bytes, as auditctl.statistics has it';

-- Sequences, because a refusal rolls everything else back.
create sequence auditctl.refused_change;
comment on sequence auditctl.refused_change is 'Counts attempts to change or delete events that were refused';
create sequence auditctl.refused_ddl;
comment on sequence auditctl.refused_ddl is 'Counts DDL that the coverage guard refused because it would silence capture';
