-- The evidence that nothing was altered: blocks of sealed events, which are leaves of one Merkle tree, and its signed sizes and roots.

create table auditctl.incarnation (
    incarnation integer not null,
    last_sealed_event_id bigint not null,
    adoption_event_id bigint not null,
    system_identifier bigint not null,
    database oid not null,
    began_at timestamptz not null,
    constraint incarnation_pkey primary key (incarnation)
);
comment on table auditctl.incarnation is 'The databases that the log has lived in: numbers of transactions of one say nothing about those of another';
comment on column auditctl.incarnation.incarnation is '1, and one more for each adoption of the store that sealing has met';
comment on column auditctl.incarnation.last_sealed_event_id is 'The largest event_id that was sealed before it began; 0 for the first';
comment on column auditctl.incarnation.adoption_event_id is 'The event of the last adoption before it began; 0 without one';
comment on column auditctl.incarnation.system_identifier is 'The cluster, see pg_control_system()';
comment on column auditctl.incarnation.database is 'The object id of the database';
comment on column auditctl.incarnation.began_at is 'When its first block was sealed';

create table auditctl.block (
    number bigint not null,
    incarnation integer not null,
    first_leaf bigint not null,
    events bigint not null,
    previous_snapshot pg_snapshot not null,
    snapshot pg_snapshot not null,
    from_time timestamptz,
    until_time timestamptz,
    is_last_part boolean not null,
    first_event_id bigint,
    last_event_id bigint,
    sealed_at timestamptz not null,
    record text not null,
    state text,
    secret bytea,
    salts bytea,
    "hashes" bytea not null, -- a word of CREATE OPERATOR
    levels bytea,
    checks bytea,
    constraint block_pkey primary key (number),
    constraint block_leaf_is_of_one_block unique (first_leaf)
);
comment on table auditctl.block is 'The sealed events: each block has those that were committed between two snapshots, or a part of them by time';
comment on column auditctl.block.number is '1, 2, 3 and so on, without gaps';
comment on column auditctl.block.incarnation is 'The database in which it was sealed, see auditctl.incarnation';
comment on column auditctl.block.first_leaf is 'The index of its first leaf in the tree, from 0; the leaf of its record is first_leaf + events';
comment on column auditctl.block.events is 'How many events it has';
comment on column auditctl.block.previous_snapshot is 'What had been committed before; 1:1: sees nothing';
comment on column auditctl.block.snapshot is 'What has been committed since';
comment on column auditctl.block.from_time is 'The earliest occurred_at of its events; null without a limit';
comment on column auditctl.block.until_time is 'The occurred_at from which on events are in the next part; null without a limit';
comment on column auditctl.block.is_last_part is 'Whether it has the rest of what was committed between the snapshots';
comment on column auditctl.block.first_event_id is 'The smallest event_id; null without events';
comment on column auditctl.block.last_event_id is 'The largest event_id; null without events';
comment on column auditctl.block.sealed_at is 'When it was sealed';
comment on column auditctl.block.record is 'The text that is hashed: JSON, which has the columns above and more';
comment on column auditctl.block.state is 'The state of capture, one JSON object a line; null if it is as in the block before';
comment on column auditctl.block.secret is 'The random bytes from which the salts of its events follow; null once they were replaced by the salts';
comment on column auditctl.block.salts is 'Then 32 bytes for each event, zeros where the event was erased or deleted; else null';
comment on column auditctl.block.hashes is 'The hashes of its leaves, 32 bytes each; of those that were deleted, what the tree still needs';
comment on column auditctl.block.levels is 'The height of each hash in the tree, one byte each; null if all are leaves';
comment on column auditctl.block.checks is '13 bytes for each event, one for each column, by which verify names the column; null once all were deleted';
-- Hashes do not compress. Salts and check bytes do, once most events of the block were deleted.
alter table auditctl.block alter column secret set storage external, alter column "hashes" set storage external;

create table auditctl.node (
    level smallint not null,
    index bigint not null,
    hash bytea not null,
    constraint node_pkey primary key (level, index)
);
comment on table auditctl.node is 'The hashes of complete subtrees of 2^8, 2^16, 2^24 and 2^32 leaves, from which roots and proofs are computed';
comment on column auditctl.node.level is 'The height: 8, 16, 24 or 32';
comment on column auditctl.node.index is 'Which of the subtrees of that height, from 0 on the left';
comment on column auditctl.node.hash is 'Its hash, 32 bytes';

create table auditctl.checkpoint (
    tree_size bigint not null,
    note text not null,
    made_at timestamptz not null,
    is_kept boolean not null,
    constraint checkpoint_pkey primary key (tree_size)
);
comment on table auditctl.checkpoint is 'Signed sizes and roots of the tree: the newest, one for each day, and those that change a key or continue after a fork';
comment on column auditctl.checkpoint.tree_size is 'How many leaves the tree had';
comment on column auditctl.checkpoint.note is 'The signed note, see c2sp.org/tlog-checkpoint';
comment on column auditctl.checkpoint.made_at is 'When it was signed';
comment on column auditctl.checkpoint.is_kept is 'Whether it stays in any case: it changes a key, or continues after a fork';
