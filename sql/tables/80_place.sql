-- Where the store is: signs by which it notices that it was restored from a dump, or copied with its database.

-- Without a key: pg_repack rewrites every table that has one, and that would look like a restore.
create table auditctl.place (
    system_identifier bigint,
    database oid,
    relation oid not null,
    written_in xid not null,
    written_at timestamptz not null default pg_catalog.now()
);
comment on table auditctl.place is 'One row: where the store was installed or adopted; belongs to the superuser who installed the coverage guard';
comment on column auditctl.place.system_identifier is 'The cluster, see pg_control_system(); another one after pg_upgrade';
comment on column auditctl.place.database is 'The object id of the database; null in a template whose copies are in their place';
comment on column auditctl.place.relation is 'The object id of this table, which a dump does not preserve';
comment on column auditctl.place.written_in is 'The transaction that wrote the row: its xmin, unless it was restored from a dump';
comment on column auditctl.place.written_at is 'When the row was written';
