-- Where reads are recorded, and the keys of the lines they leave in the server's log.

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
comment on table auditctl.read_site is 'Where the policies of reading are: one row for each audited table, and for each partition and child of one';
comment on column auditctl.read_site.relation is 'The table with the policies';
comment on column auditctl.read_site.root is 'The audited table: the same, or what it is a partition or child of';
comment on column auditctl.read_site.target is 'schema.table of the audited table, as its events carry it';
comment on column auditctl.read_site.read_query is 'Whether the query''s text is recorded';
comment on column auditctl.read_site.read_force is 'Whether the table''s owner is recorded, too';
comment on column auditctl.read_site.had_row_security is 'Whether row security is the table''s own, and stays when reading is no longer audited';
comment on column auditctl.read_site.had_force is 'Whether row security was forced on the owner before';

create table auditctl.log_key (
    inner_key bytea not null,
    outer_key bytea not null,
    mark_key bytea not null,
    made_at timestamptz not null default pg_catalog.now()
);
comment on table auditctl.log_key is 'One row of secrets, made at random when the store was installed. Nobody but auditctl_owner can read it';
comment on column auditctl.log_key.inner_key is 'Of lines in the server''s log: hashed before the line, with SHA-256';
comment on column auditctl.log_key.outer_key is 'Of lines in the server''s log: hashed before that hash, so that nobody can lengthen a line';
comment on column auditctl.log_key.mark_key is 'Of the setting that says which reads of a statement are recorded already';
comment on column auditctl.log_key.made_at is 'When the keys were made';

-- Nobody is granted anything, and members of pg_read_all_data hold every table's privileges: no policy lets them in.
alter table auditctl.log_key enable row level security;
