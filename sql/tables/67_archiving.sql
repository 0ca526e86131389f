-- Where months are archived and which ones stay, as [archive] in the file states it. Credentials have no place here.

create table auditctl.archiving (
    name text not null default 'archive',
    location text,
    keep_hot text,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint archiving_pkey primary key (name),
    constraint archiving_is_one_row check (name = 'archive'),
    constraint archiving_states_something check (location is not null or keep_hot is not null),
    constraint archiving_location_is_a_path check (
        location !~ '[[:cntrl:]]' and location ~ '^(/|file:///|[a-z0-9]+://[A-Za-z0-9_.:=+,~ /-]+$)' and octet_length(location) <= 4096
    ),
    constraint archiving_keep_hot_is_a_time check (keep_hot ~ '^[1-9][0-9]{0,5} (day|week|month|year)s?$')
);
comment on table auditctl.archiving is 'Where auditctl archive writes months, and which ones stay in the database: [archive] in the file; without a row nothing is stated';
comment on column auditctl.archiving.name is 'Always archive';
comment on column auditctl.archiving.location is 'The archive, a folder or s3://BUCKET/PREFIX; null for where a month was archived last';
comment on column auditctl.archiving.keep_hot is 'Months that ended within this time stay in the database, such as 6 months; null to archive every month that is over';
comment on column auditctl.archiving.set_by is 'The login that set it';
comment on column auditctl.archiving.set_at is 'When it was set';
