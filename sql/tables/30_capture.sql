-- Where capture is installed, and the templates and types from which its functions are assembled.

create type auditctl.identity as (actor text, actor_kind auditctl.actor_kind, ip inet, context jsonb);
comment on type auditctl.identity is 'Who acts in the session, as an event records it';

create type auditctl.change as (old_values jsonb, new_values jsonb, target_id text, previous_key jsonb);
comment on type auditctl.change is 'What a statement did to a row, as an event records it';
comment on column auditctl.change.previous_key is 'Where an update changed the key: an object with previous_target_id, for the context; else null';

create type auditctl.captured_column as (
    name text,
    own_type text,
    base_type text,
    base_oid oid,
    modifier integer,
    is_array boolean,
    is_plain boolean,
    constituents text[]
);
comment on type auditctl.captured_column is 'A column as capture sees it';
comment on column auditctl.captured_column.own_type is 'Its type, quoted, if that is PostgreSQL''s own and is converted to JSONB directly; else null';
comment on column auditctl.captured_column.base_type is 'Its type without domains, quoted';
comment on column auditctl.captured_column.modifier is 'Its type modifier, such as the precision of a numeric; -1 without one';
comment on column auditctl.captured_column.is_plain is 'Whether all types that a value consists of are PostgreSQL''s own and are converted to JSONB directly (json and jsonb[] are not)';
comment on column auditctl.captured_column.constituents is 'The types a value may consist of; ? for one that is not PostgreSQL''s own';

create type auditctl.key_index as (name text, columns text[], is_primary boolean);
comment on type auditctl.key_index is 'A unique index by whose columns rows may be identified';

create type auditctl.capture_site as (
    relation oid,
    schema text,
    name text,
    kind text,
    owner text,
    root oid,
    root_schema text,
    root_name text,
    partition_root oid,
    columns auditctl.captured_column[],
    types text[],
    key_indexes auditctl.key_index[]
);
comment on type auditctl.capture_site is 'An audited table, or a child of one, with all in the catalog from which its capture functions are generated';
comment on column auditctl.capture_site.kind is 'pg_class.relkind';
comment on column auditctl.capture_site.root is 'The audited table that it is or is a child of';
comment on column auditctl.capture_site.partition_root is 'For a partitioned table, the table at the top of its tree; else null';
comment on column auditctl.capture_site.columns is 'The columns that capture can see, in order';
comment on column auditctl.capture_site.types is 'The types of all columns, in order: object ids as eight hexadecimal digits each';
comment on column auditctl.capture_site.key_indexes is 'Its indexes of auditctl_internal.key_indexes, the best first';

create type auditctl.row_reader as (source text, key text, image text, bounded_image text, partition text, columns text[]);
comment on type auditctl.row_reader is 'The SQL that reads the rows of a table as capture records them';
comment on column auditctl.row_reader.source is 'An item of FROM, as new; with places for the first page, and the page after the last, or null';
comment on column auditctl.row_reader.key is 'The expression for the key; null without a key';
comment on column auditctl.row_reader.image is 'The expression for the image of the row';
comment on column auditctl.row_reader.bounded_image is 'The same for a row that exceeds the limit of an event';
comment on column auditctl.row_reader.partition is 'The expression for the partition or child that it is, as events have it; null for the table itself';
comment on column auditctl.row_reader.columns is 'The columns that are neither excluded nor masked';

create table auditctl.template (
    action auditctl.action not null,
    parts text[] not null,
    generator text not null,
    constraint template_pkey primary key (action)
);
comment on table auditctl.template is 'The templates for bodies of capture functions, as install stored them';
comment on column auditctl.template.action is 'The captured action';
comment on column auditctl.template.parts is 'Alternating pieces of text and names of the placeholders between them';
comment on column auditctl.template.generator is 'The SHA-256 of the SQL that generates functions from the template, in hex';

create type auditctl.capture_function as (name text, source text, settings text[], statement text, comment text, grantee text);
comment on type auditctl.capture_function is 'A capture function as it should be, and the statement that creates it';
comment on column auditctl.capture_function.grantee is
    'The role that needs EXECUTE on it: PostgreSQL requires that of the owner of a partitioned table for each new partition';

create table auditctl.capture (
    relation regclass not null,
    target text not null,
    actions auditctl.action[] not null,
    exclude text[] not null,
    mask text[] not null,
    key text[] not null,
    require_actor boolean not null,
    require_reason boolean not null default false,
    former_exclude text[] not null default '{}',
    former_mask text[] not null default '{}',
    members regclass[] not null default '{}',
    detached regclass[] not null default '{}',
    columns jsonb not null default '{}',
    columns_of text,
    rules jsonb not null default '[]',
    key_indexes text[] not null default '{}',
    shape text,
    being_changed_by xid8,
    read_query boolean not null default false,
    read_force boolean not null default false,
    on_drop text not null default 'refuse',
    taken_in_by xid8,
    constraint capture_pkey primary key (relation)
);
comment on table auditctl.capture is 'One row for each audited table: how its capture was installed, and the state of the table at that time';
comment on column auditctl.capture.relation is 'The table that the target names; its partitions and children are members';
comment on column auditctl.capture.target is 'schema.table, as its events record it';
comment on column auditctl.capture.actions is 'The captured actions';
comment on column auditctl.capture.exclude is 'Columns that are never stored';
comment on column auditctl.capture.mask is 'Columns whose change is recorded without the value';
comment on column auditctl.capture.key is 'Columns that identify a row of a table without a primary key';
comment on column auditctl.capture.require_actor is 'Whether a write without a known actor fails';
comment on column auditctl.capture.require_reason is 'Whether a write without a reason fails';
comment on column auditctl.capture.former_exclude is 'Excluded columns that the table no longer has: excluded again if a column of that name is added';
comment on column auditctl.capture.former_mask is 'The same for masked columns';
comment on column auditctl.capture.members is 'Partitions and children that capture is known to be complete on';
comment on column auditctl.capture.detached is 'Former members, until apply is run';
comment on column auditctl.capture.columns is 'For the table and each child: the columns by number, each with name, type and default';
comment on column auditctl.capture.columns_of is 'The physical table that these numbers are of: cluster, database and object id; in any other they may have changed';
comment on column auditctl.capture.rules is 'INSTEAD rules that existed already, as auditctl_internal.current_rules describes each';
comment on column auditctl.capture.key_indexes is 'The unique indexes of a table without a primary key, and of its members, that may identify rows';
comment on column auditctl.capture.shape is 'Two digests, of the table and of what capture has on it, as auditctl_internal.current_shape makes them; null if all must be looked at anew';
comment on column auditctl.capture.being_changed_by is 'The transaction that is changing capture, in which the guard ignores the table; else null';
comment on column auditctl.capture.read_query is 'Whether the event of a read records the query''s text';
comment on column auditctl.capture.read_force is 'Whether reads by the table''s owner are recorded, too';
comment on column auditctl.capture.taken_in_by is 'The transaction in which the guard took the table in, which may drop it again; null if apply or enable installed capture';
comment on column auditctl.capture.on_drop is 'What the guard does if DDL drops the table: refuse or record it';

-- By which the guard knows a former member, at each ALTER TABLE of any table.
create index capture_members_idx on auditctl.capture using gin ((members::oid[]));
create table auditctl.function_digest (
    function text not null,
    digest text not null,
    constraint function_digest_pkey primary key (function)
);
comment on table auditctl.function_digest is
    'Capture functions that were found to be as generated: one with this digest need not be generated again to be compared';
comment on column auditctl.function_digest.function is 'Its name in auditctl_triggers';
comment on column auditctl.function_digest.digest is
    'The SHA-256 of its source and settings and of all that these depend on: rule, columns, types, templates, server version; in hex';

create table auditctl.capture_change (
    changed_at timestamptz not null default pg_catalog.now()
);
comment on table auditctl.capture_change is 'One row that every change of capture updates: a transaction whose snapshot is older cannot lock it';
comment on column auditctl.capture_change.changed_at is 'When capture was changed last';
