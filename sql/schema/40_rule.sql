-- What is audited. Rules are stated by people; targets are the tables that capture was ever installed on.

create table audit.rule (
    name text not null,
    position integer not null,
    label text,
    actions audit.action[] not null,
    exclude text[] not null default '{}',
    mask text[] not null default '{}',
    key text[] not null default '{}',
    require_actor boolean not null default false,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    read_query boolean not null default false,
    read_force boolean not null default false,
    constraint rule_pkey primary key (name),
    constraint rule_label_is_not_empty check (label <> '')
);

comment on table audit.rule is 'What is to be audited: one row per table or glob, as enable and apply state it';
comment on column audit.rule.name is 'schema.table, or a glob such as billing.*';
comment on column audit.rule.position is 'Order in which globs are tried; an exact name comes before every glob';
comment on column audit.rule.label is 'What people see as the target; null for the name itself';
comment on column audit.rule.actions is 'The captured actions; empty for a table that a glob would cover but must not';
comment on column audit.rule.exclude is 'Columns that are never stored';
comment on column audit.rule.mask is 'Columns whose change is recorded without the value';
comment on column audit.rule.key is 'The columns that name a row of a table without a primary key';
comment on column audit.rule.require_actor is 'Whether a write without a known actor fails (SQLSTATE UA002)';
comment on column audit.rule.set_by is 'The login that stated the rule';
comment on column audit.rule.set_at is 'When the rule was stated';
comment on column audit.rule.read_query is 'Whether the event of a read has the query''s text';
comment on column audit.rule.read_force is 'Whether reads by the table''s owner are recorded, too';

grant select on audit.rule to audit_reader;
alter table audit.rule enable row level security;
create policy rule_is_read_by_whoever_may on audit.rule for select using (true);

create table audit.target (
    target text not null,
    label text,
    key_columns text[] not null default '{}',
    registered_at timestamptz not null default pg_catalog.now(),
    constraint target_pkey primary key (target)
);

comment on table audit.target is 'Every table that was ever audited, under each name it had';
comment on column audit.target.target is 'schema.table, as events carry it';
comment on column audit.target.label is 'What people see as the target';
comment on column audit.target.key_columns is 'The columns of the key, in order; empty without a key';
comment on column audit.target.registered_at is 'When capture was first installed under this name';

grant select on audit.target to audit_reader;
alter table audit.target enable row level security;
create policy target_is_read_by_whoever_may on audit.target for select using (true);

create table audit.rename (
    renamed_at timestamptz not null,
    old_target text not null,
    new_target text not null,
    constraint rename_pkey primary key (new_target, renamed_at),
    constraint rename_is_a_change check (old_target <> new_target)
);

comment on table audit.rename is 'Each time an audited table was found under a new name; lets its history stay one';
comment on column audit.rename.renamed_at is 'From when on events carry the new name';
comment on column audit.rename.old_target is 'The name before';
comment on column audit.rename.new_target is 'The name since';

grant select on audit.rename to audit_reader;
alter table audit.rename enable row level security;
create policy rename_is_read_by_whoever_may on audit.rename for select using (true);
