-- The months that the log has, so that one that is gone without an announcement is found.

create table auditctl.month (
    month text not null,
    created_at timestamptz not null default pg_catalog.now(),
    has_events boolean not null default false,
    events bigint,
    last_event_id bigint,
    counted_at timestamptz,
    missing bigint not null default 0,
    ended_at timestamptz,
    lost_at timestamptz,
    accepted_at timestamptz,
    acceptance text,
    constraint month_pkey primary key (month),
    constraint month_is_accepted_for_a_reason check ((accepted_at is null) = (acceptance is null) and acceptance ~ '[^[:space:]]')
);
comment on table auditctl.month is 'Every month that the log has or had; a month goes only when all its events have expired, or are in an archive';
comment on column auditctl.month.month is 'The month in UTC, such as 2026-11';
comment on column auditctl.month.created_at is 'When its partition was created last';
comment on column auditctl.month.has_events is 'Whether upkeep has seen events in it';
comment on column auditctl.month.events is 'How many events upkeep counted in it, or left in it, last; null before it did';
comment on column auditctl.month.last_event_id is 'The newest of the events that it counted, so that later ones do not hide that some are missing; null if it does not matter';
comment on column auditctl.month.counted_at is 'When upkeep counted them';
comment on column auditctl.month.missing is 'How many events upkeep found missing since the loss was accepted last';
comment on column auditctl.month.ended_at is 'When upkeep deleted it, as all its events had expired or are in an archive; null while it is part of the log';
comment on column auditctl.month.lost_at is 'When upkeep noticed that its partition was gone, and created it again; null if that never happened';
comment on column auditctl.month.accepted_at is 'When somebody stated why it is gone or empty, so that doctor no longer reports it';
comment on column auditctl.month.acceptance is 'Why it is gone or empty';
