-- Where capture is installed, as the coverage guard compares it with the catalog.

create or replace function auditctl_internal.registered_name(p_relation oid) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select auditctl.qualified(n.nspname, c.relname)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = p_relation
    );
end
$auditctl$;
comment on function auditctl_internal.registered_name is 'The name under which a relation would be registered now; null if it no longer exists';

create or replace function auditctl_internal.related_relations(p_relations oid[]) returns setof oid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    with recursive downward as (
        select unnest(p_relations) as relation
        union
        select i.inhrelid from downward join pg_inherits as i on i.inhparent = downward.relation
    ),

    -- A child may have several parents: DDL on one of them changes the child, and so the audited table of another.
    upward as (
        select downward.relation from downward
        union
        select i.inhparent from upward join pg_inherits as i on i.inhrelid = upward.relation
    )

    select upward.relation from upward;
end
$auditctl$;
comment on function auditctl_internal.related_relations is 'The relations, all their descendants, and all ancestors of any of these';

create or replace function auditctl_internal.audited_through(p_relation oid) returns regclass
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
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
    );
end
$auditctl$;
comment on function auditctl_internal.audited_through is 'The nearest audited table that a relation is or descends from; null if there is none';

create or replace function auditctl_internal.current_members(p_root oid) returns regclass[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
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
        -- A partition has one parent, a child may have several. Other sessions cannot see a temporary child.
        where c.relpersistence <> 't' and (c.relispartition or auditctl_internal.audited_through(c.oid) = p_root)
    );
end
$auditctl$;
comment on function auditctl_internal.current_members is 'The partitions and children that are audited as members of a table';

create or replace function auditctl_internal.attach_member(p_member regclass, p_capture auditctl.capture) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_capture auditctl.capture := p_capture;
    v_state record;
begin
    v_capture.members := array[p_member];
    perform auditctl_internal.write_functions(p_capture, array[p_member], true);
    for v_state in select s.* from auditctl_internal.trigger_states(v_capture) as s where s.relation = p_member and s.fault = 'missing' loop
        perform auditctl_internal.put_trigger(p_member, v_state.trigger, v_state.type_bits, v_state.function);
    end loop;
    if 'READ' = any (p_capture.actions) then
        perform auditctl_internal.attach_read_policies(p_member, p_capture);
    end if;
    return true;
exception when insufficient_privilege then
    raise warning '% is not audited yet: %', auditctl_internal.registered_name(p_member), sqlerrm
        using hint = 'Run: auditctl apply';
    return false;
end
$auditctl$;
comment on function auditctl_internal.attach_member is
    'Installs capture on a new partition or child of an audited table; returns whether the rights of the installing login allowed it';
