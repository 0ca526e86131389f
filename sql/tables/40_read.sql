-- Where reads are recorded, and the keys that authenticate their lines in the server's log.

create table auditctl.read_site (
    relation regclass not null,
    root regclass not null,
    target text not null,
    read_query boolean not null,
    read_force boolean not null,
    had_row_security boolean not null,
    had_force boolean not null,
    constraint read_site_pkey primary key (relation)
);
comment on table auditctl.read_site is 'Tables with read policies: one row for each table whose reads are audited, and for each partition and child of one';
comment on column auditctl.read_site.relation is 'The table with the policies';
comment on column auditctl.read_site.root is 'The audited table: the same table, or the one of which it is a partition or child';
comment on column auditctl.read_site.target is 'schema.table of the audited table, as its events record it';
comment on column auditctl.read_site.read_query is 'Whether the query''s text is recorded';
comment on column auditctl.read_site.read_force is 'Whether reads by the table''s owner are recorded, too';
comment on column auditctl.read_site.had_row_security is 'Whether row security is the table''s own, and stays enabled when reads are no longer audited';
comment on column auditctl.read_site.had_force is 'Whether row security was forced on the owner before';

create table auditctl.log_key (
    inner_key bytea not null,
    outer_key bytea not null,
    mark_key bytea not null,
    made_at timestamptz not null default pg_catalog.now()
);
comment on table auditctl.log_key is 'One row of random secrets, generated when the store was installed; only auditctl_owner and backup roles can read it';
comment on column auditctl.log_key.inner_key is 'Inner key for lines in the server''s log: hashed before the line, with SHA-256';
comment on column auditctl.log_key.outer_key is 'Outer key for lines in the server''s log: hashed before the inner hash, so that nobody can extend a line';
comment on column auditctl.log_key.mark_key is 'Key for the setting that marks the reads that a statement has recorded already';
comment on column auditctl.log_key.made_at is 'When the keys were generated';

-- Members of pg_read_all_data may select from every table without a grant; without a policy they see no row here.
alter table auditctl.log_key enable row level security;
