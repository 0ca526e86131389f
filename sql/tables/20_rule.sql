-- What is audited: rules, which people write, and targets, the tables that capture was ever installed on.

create table auditctl.rule (
    name text not null,
    position integer not null,
    label text,
    actions auditctl.action[] not null default '{CREATE,UPDATE,DELETE,TRUNCATE}',
    exclude text[],
    mask text[],
    key text[] not null default '{}',
    require_actor boolean not null default false,
    require_reason boolean not null default false,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    read_query boolean not null default false,
    read_force boolean not null default false,
    on_drop text not null default 'refuse',
    auto boolean not null default true,
    constraint rule_pkey primary key (name),
    constraint rule_label_is_not_empty check (label <> ''),
    constraint rule_on_drop_is_known check (on_drop in ('refuse', 'record'))
);
comment on table auditctl.rule is 'What is to be audited: one row per table or glob, as enable and apply write it';
comment on column auditctl.rule.name is 'schema.table, or a glob such as billing.*';
comment on column auditctl.rule.position is 'Order in which globs are tried; an exact name comes before every glob';
comment on column auditctl.rule.label is 'The displayed name of the target; null for the name itself';
comment on column auditctl.rule.actions is 'The captured actions; empty for a table that a glob would cover but that must not be audited';
comment on column auditctl.rule.exclude is 'Columns that are never stored; null where the rule does not state it and takes those of the next rule that matches the table';
comment on column auditctl.rule.mask is 'Columns whose change is recorded without the value; null likewise';
comment on column auditctl.rule.key is 'The columns that identify a row of a table without a primary key';
comment on column auditctl.rule.require_actor is 'Whether a write without a known actor fails (SQLSTATE UA002)';
comment on column auditctl.rule.require_reason is 'Whether a write without a reason fails (SQLSTATE UA004)';
comment on column auditctl.rule.set_by is 'The login that set the rule';
comment on column auditctl.rule.set_at is 'When the rule was set';
comment on column auditctl.rule.read_query is 'Whether the event of a read records the query''s text';
comment on column auditctl.rule.read_force is 'Whether reads by the table''s owner are recorded, too';
comment on column auditctl.rule.auto is 'Whether the guard audits a table that is created under the glob at once';
comment on column auditctl.rule.on_drop is 'What the guard does if DDL drops the table: refuse it, or record it with the size of its log';

-- Globs by what comes before their first wildcard or quote, by which the guard finds the few that may match a table.
create index rule_glob_prefix_idx on auditctl.rule ((case when name ~ '[.]' then substring(name from '^[^*?["]*') else '' end))
where name ~ '[*?[]';

create type auditctl.key_type as (type regtype, modifier integer, collation_name text, ignores_case boolean);
comment on type auditctl.key_type is 'How the text of a key''s column is read: enough to tell which texts mean the same key';
comment on column auditctl.key_type.type is 'Its type without domains if that is PostgreSQL''s own, else text';
comment on column auditctl.key_type.modifier is 'The length, precision or scale of that type, as in pg_attribute.atttypmod; -1 without';
comment on column auditctl.key_type.collation_name is 'Its collation, quoted, if that takes different texts for equal; else null';
comment on column auditctl.key_type.ignores_case is 'Whether it is of type citext';

create table auditctl.target (
    target text not null,
    label text,
    key_columns text[] not null default '{}',
    key_types auditctl.key_type[] not null default '{}',
    hidden text[] not null default '{}',
    registered_at timestamptz not null default pg_catalog.now(),
    constraint target_pkey primary key (target)
);
comment on table auditctl.target is 'Every table that was ever audited, under each name it had';
comment on column auditctl.target.target is 'schema.table, as events record it';
comment on column auditctl.target.label is 'The displayed name of the target';
comment on column auditctl.target.key_columns is 'The columns of the key, in order; empty without a key';
comment on column auditctl.target.key_types is 'Their types when the table last had the name; empty if unknown';
comment on column auditctl.target.hidden is 'Columns that were excluded or masked when values of the table were last recorded under this name';
comment on column auditctl.target.registered_at is 'When capture was first installed under this name';

create table auditctl.rename (
    renamed_at timestamptz not null,
    old_target text not null,
    new_target text not null,
    constraint rename_pkey primary key (new_target, renamed_at),
    constraint rename_is_a_change check (old_target <> new_target)
);
comment on table auditctl.rename is 'Renames of audited tables, by which the history of a table is followed';
comment on column auditctl.rename.renamed_at is 'The time from which events record the new name';
comment on column auditctl.rename.old_target is 'The name before';
comment on column auditctl.rename.new_target is 'The name after';

create type auditctl.target_period as (target text, since timestamptz, until timestamptz);
comment on type auditctl.target_period is 'A name that a table had, with the time from which and until which, as auditctl.target_names returns it';

create table auditctl.event_type (
    name text not null,
    label text,
    enabled boolean not null default true,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint event_type_pkey primary key (name),
    constraint event_type_name_is_not_empty check (name <> ''),
    constraint event_type_label_is_not_empty check (label <> ''),
    constraint event_type_label_is_of_one_type check (label is null or name !~ '[*?]')
);
comment on table auditctl.event_type is 'Business events that the configuration names; a type without a row is recorded under its own name';
comment on column auditctl.event_type.name is 'The target that auditctl.record_event is called with, or a glob: * stands for any characters, ? for one';
comment on column auditctl.event_type.label is 'The displayed name of the target; null for the name itself';
comment on column auditctl.event_type.enabled is 'Whether such events are recorded; of several matching rows the exact name counts, else the longest glob';
comment on column auditctl.event_type.set_by is 'The login that set it';
comment on column auditctl.event_type.set_at is 'When it was set';

create table auditctl.actor_source (
    name text not null,
    position integer not null,
    setting text not null,
    path text[] not null,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint actor_source_pkey primary key (name)
);
comment on table auditctl.actor_source is
    'Settings of the session that name the actor where auditctl.actor does not, as auditctl install --actor-from states them';
comment on column auditctl.actor_source.name is 'The setting, and after a colon the path of a member of its JSON';
comment on column auditctl.actor_source.position is 'The order in which they are looked at: the first that names somebody counts';
comment on column auditctl.actor_source.setting is 'The name of the setting';
comment on column auditctl.actor_source.path is 'The members that lead to the actor in the setting''s JSON; empty where the setting itself is the actor';
comment on column auditctl.actor_source.set_by is 'The login that stated it';
comment on column auditctl.actor_source.set_at is 'When it was stated';

create table auditctl.accepted_finding (
    name text generated always as (check_name || ' ' || object) stored,
    check_name text not null,
    object text not null,
    reason text not null,
    until date,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint accepted_finding_pkey primary key (check_name, object),
    constraint accepted_finding_object_is_not_empty check (object <> ''),
    constraint accepted_finding_reason_is_not_empty check (reason <> '')
);
comment on table auditctl.accepted_finding is 'Findings of doctor that somebody accepted, with the reason: doctor shows them apart and does not count them';
comment on column auditctl.accepted_finding.name is 'Check and object, as events about it name it';
comment on column auditctl.accepted_finding.check_name is 'The check that makes the finding';
comment on column auditctl.accepted_finding.object is 'What the finding is about, or a glob: * stands for any characters, ? for one';
comment on column auditctl.accepted_finding.reason is 'Why it is accepted';
comment on column auditctl.accepted_finding.until is 'The day from which it counts again; null for never';
comment on column auditctl.accepted_finding.set_by is 'The login that accepted it';
comment on column auditctl.accepted_finding.set_at is 'When it was accepted';
