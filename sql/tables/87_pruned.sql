-- Which sealed events upkeep has deleted, as they had expired or were archived, so that an announced deletion differs from any other.

create table auditctl.pruned (
    block bigint not null,
    announced_in bigint not null,
    xact_id xid8 not null default pg_catalog.pg_current_xact_id(),
    leaves bytea,
    restored_in_xact xid8,
    constraint pruned_pkey primary key (block, announced_in)
);
comment on table auditctl.pruned is 'One row for each block and run of upkeep that deleted events of it; never deleted';
comment on column auditctl.pruned.block is 'The block';
comment on column auditctl.pruned.announced_in is 'The event, of target auditctl.partition, that announces the deletion, with the SHA-256 of its rows here';
comment on column auditctl.pruned.xact_id is 'The transaction that deleted them';
comment on column auditctl.pruned.leaves is 'Bit n for the event at place n of the block, from the lowest bit of the first byte; null for all of them';
comment on column auditctl.pruned.restored_in_xact is 'The transaction that brought them back from an archive; null while they are gone';
