-- The state that the coverage guard compares with: columns and rules at the last change of capture.

create or replace function auditctl_internal.current_columns(p_root oid, p_members regclass[]) returns jsonb
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
comment on function auditctl_internal.current_columns is
    'The columns of the table and of each child by number, each with name, type and default';

create or replace function auditctl_internal.current_rules(p_root oid, p_members regclass[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(distinct format('%s %s', r.ev_type, r.rulename)), '{}')
    from pg_rewrite as r
    where r.ev_class = any (p_root || p_members::oid[]) and r.is_instead and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
$auditctl$;
comment on function auditctl_internal.current_rules is
    'The INSTEAD rules that divert writes from the table, and so from its triggers: event (2 update, 3 insert, 4 delete) and name';

create or replace function auditctl_internal.begin_change(p_relations regclass[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.capture_change set changed_at = clock_timestamp();
    update auditctl.capture set being_changed_by = pg_current_xact_id()
    where relation::oid in (select auditctl_internal.related_relations(p_relations::oid[]));
$auditctl$;
comment on function auditctl_internal.begin_change is
    'Begins a change of capture on these relations: the guard ignores them until auditctl_internal.end_change in the same transaction';

create or replace function auditctl_internal.end_change() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
    with present as (
        select k.relation, auditctl_internal.current_members(k.relation) as members
        from auditctl.capture as k
        where k.being_changed_by = pg_current_xact_id()
    )

    update auditctl.capture as k
    set
        members = present.members,
        columns = auditctl_internal.current_columns(present.relation, present.members),
        rules = auditctl_internal.current_rules(present.relation, present.members),
        detached = '{}',
        being_changed_by = null
    from present
    where present.relation = k.relation
$auditctl$;
comment on function auditctl_internal.end_change is 'Ends a change of capture: stores the present state of the tables, with which the guard compares';
