-- Where capture is installed: what the tool leaves for the coverage guard, which compares the catalog with it.

create table auditctl.capture (
    relation regclass not null,
    target text not null,
    actions auditctl.action[] not null,
    exclude text[] not null,
    mask text[] not null,
    key text[] not null,
    require_actor boolean not null,
    former_exclude text[] not null default '{}',
    former_mask text[] not null default '{}',
    members regclass[] not null default '{}',
    detached regclass[] not null default '{}',
    columns jsonb not null default '{}',
    rules text[] not null default '{}',
    being_changed_by xid8,
    read_query boolean not null default false,
    read_force boolean not null default false,
    constraint capture_pkey primary key (relation)
);

comment on table auditctl.capture is 'One row for each audited table: how its triggers were made, and what the table was like then';
comment on column auditctl.capture.relation is 'The table that the target names; its partitions and children are members';
comment on column auditctl.capture.target is 'schema.table, as its events carry it';
comment on column auditctl.capture.actions is 'The captured actions';
comment on column auditctl.capture.exclude is 'Columns that are never stored';
comment on column auditctl.capture.mask is 'Columns whose change is recorded without the value';
comment on column auditctl.capture.key is 'Columns that name a row of a table without a primary key';
comment on column auditctl.capture.require_actor is 'Whether a write without a known actor fails';
comment on column auditctl.capture.former_exclude is 'Excluded columns that the table no longer has: excluded again if one of that name comes';
comment on column auditctl.capture.former_mask is 'The same of masked columns';
comment on column auditctl.capture.members is 'Partitions and children that capture is known to be complete on';
comment on column auditctl.capture.detached is 'Former members, until apply is run';
comment on column auditctl.capture.columns is 'For the table and each child: the columns by number, each with name, type and default';
comment on column auditctl.capture.rules is 'INSTEAD rules that were there already: event (2 update, 3 insert, 4 delete) and name';
comment on column auditctl.capture.being_changed_by is 'The transaction that changes capture itself: inside it the guard leaves the table alone; else null';
comment on column auditctl.capture.read_query is 'Whether the event of a read has the query''s text';
comment on column auditctl.capture.read_force is 'Whether reads by the table''s owner are recorded, too';

alter table auditctl.capture enable row level security;
create policy capture_is_read_by_whoever_may on auditctl.capture for select using (true);
grant select on auditctl.capture to auditctl_reader;

create table auditctl.capture_change (
    changed_at timestamptz not null
);

comment on table auditctl.capture_change is 'One row that every change of capture updates: a transaction whose snapshot is older cannot lock it';
comment on column auditctl.capture_change.changed_at is 'When capture was changed last';

insert into auditctl.capture_change (changed_at) values (pg_catalog.now());
alter table auditctl.capture_change enable row level security;
create policy capture_change_is_read_by_whoever_may on auditctl.capture_change for select using (true);
grant select on auditctl.capture_change to auditctl_reader;

create function auditctl_internal.registered_name(p_relation oid) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl.qualified(n.nspname, c.relname)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation
$auditctl$;

comment on function auditctl_internal.registered_name(oid) is 'The name a relation would be registered under now; null where it is gone';

create function auditctl_internal.kin(p_relations oid[]) returns setof oid
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive downward as (
        select unnest(p_relations) as relation
        union
        select i.inhrelid from downward join pg_inherits as i on i.inhparent = downward.relation
    ),

    -- A child may have several parents: what is done to one reaches it, and so the table that another stands for.
    upward as (
        select downward.relation from downward
        union
        select i.inhparent from upward join pg_inherits as i on i.inhrelid = upward.relation
    )

    select upward.relation from upward
$auditctl$;

comment on function auditctl_internal.kin(oid[]) is 'Relations with all that descends from them, and all that any of these descends from';

create function auditctl_internal.audited_through(p_relation oid) returns regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive ancestor as (
        select p_relation as relation, 0 as distance
        union all
        select i.inhparent, a.distance + 1 from ancestor as a join pg_inherits as i on i.inhrelid = a.relation
    )

    select k.relation
    from ancestor as a
    join auditctl.capture as k on k.relation = a.relation
    join pg_class as c on c.oid = a.relation
    join pg_namespace as n on n.oid = c.relnamespace
    order by a.distance, n.nspname, c.relname
    limit 1
$auditctl$;

comment on function auditctl_internal.audited_through(oid) is 'The nearest audited table that a relation is or descends from; null where there is none';

create function auditctl_internal.current_members(p_root oid) returns regclass[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive downward as (
        select i.inhrelid as relation
        from pg_inherits as i
        where i.inhparent = p_root and not exists (select from auditctl.capture as k where k.relation = i.inhrelid)
        union
        select i.inhrelid
        from downward
        join pg_inherits as i on i.inhparent = downward.relation
        where not exists (select from auditctl.capture as k where k.relation = i.inhrelid)
    )

    select coalesce(array_agg(downward.relation::regclass order by downward.relation), '{}')
    from downward
    join pg_class as c on c.oid = downward.relation
    -- A partition has one parent, a child may have several. No other session sees a temporary one.
    where c.relpersistence <> 't' and (c.relispartition or auditctl_internal.audited_through(c.oid) = p_root)
$auditctl$;

comment on function auditctl_internal.current_members(oid) is 'The partitions and children that are audited through a table';

create function auditctl_internal.has_own_function(p_relation oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL clones a row trigger to partitions, function and all; a child shares nothing with its parent.
    select not c.relispartition from pg_class as c where c.oid = p_relation
$auditctl$;

comment on function auditctl_internal.has_own_function(oid) is 'Whether a member is a child, with functions for its own columns, and no partition';

create function auditctl_internal.current_columns(p_root oid, p_members regclass[]) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        jsonb_object_agg(
            auditctl_internal.registered_name(site.relation), (
                select
                    coalesce(
                        jsonb_object_agg(
                            a.attnum, jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid))
                        ), '{}'
                    )
                from pg_attribute as a
                left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
                where a.attrelid = site.relation and a.attnum > 0 and not a.attisdropped
            )
        )
    from unnest(p_root || p_members::oid[]) as site (relation)
    join pg_class as c on c.oid = site.relation
    where site.relation = p_root or not c.relispartition
$auditctl$;

comment on function auditctl_internal.current_columns(oid, regclass[]) is
    'For the table and each child, by name: the columns by number, each with name, type and default';

create function auditctl_internal.current_rules(p_root oid, p_members regclass[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(distinct format('%s %s', r.ev_type, r.rulename)), '{}')
    from pg_rewrite as r
    where r.ev_class = any (p_root || p_members::oid[]) and r.is_instead and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
$auditctl$;

comment on function auditctl_internal.current_rules(oid, regclass[]) is 'The INSTEAD rules that keep writes from the table, and so from its triggers: event (2 update, 3 insert, 4 delete) and name';

create function auditctl_internal.begin_change(p_relations regclass[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.capture_change set changed_at = clock_timestamp();
    update auditctl.capture set being_changed_by = pg_current_xact_id()
    where relation::oid in (select auditctl_internal.kin(p_relations::oid[]));
$auditctl$;

comment on function auditctl_internal.begin_change(regclass[]) is
    'Before capture is changed on these relations: the guard leaves them alone until auditctl_internal.end_change in the same transaction';

create function auditctl_internal.end_change() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
    with found as (
        select k.relation, auditctl_internal.current_members(k.relation) as members
        from auditctl.capture as k
        where k.being_changed_by = pg_current_xact_id()
    )

    update auditctl.capture as k
    set
        members = found.members,
        columns = auditctl_internal.current_columns(found.relation, found.members),
        rules = auditctl_internal.current_rules(found.relation, found.members),
        detached = '{}',
        being_changed_by = null
    from found
    where found.relation = k.relation
$auditctl$;

comment on function auditctl_internal.end_change() is 'After capture was changed: what the tables are like now is what the guard compares with';
