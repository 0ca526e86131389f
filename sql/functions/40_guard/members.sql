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
    -- Most relations have neither, and to plan the query below takes much longer than to look.
    if not exists (select from pg_inherits as i where i.inhrelid = any (p_relations))
        and not exists (select from pg_inherits as i where i.inhparent = any (p_relations))
    then
        return query select distinct unnest(p_relations);
        return;
    end if;
    -- Each "offset 0" makes PostgreSQL look parents and children up by index: it cannot know how few there are.
    return query
    with recursive downward as (
        select unnest(p_relations) as relation
        union
        select child.relation
        from downward
        cross join lateral (select i.inhrelid as relation from pg_inherits as i where i.inhparent = downward.relation offset 0) as child
    ),

    -- A child may have several parents: DDL on one of them changes the child, and so the audited table of another.
    upward as (
        select downward.relation from downward
        union
        select parent.relation
        from upward
        cross join lateral (select i.inhparent as relation from pg_inherits as i where i.inhrelid = upward.relation offset 0) as parent
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
    if not exists (select from pg_inherits as i where i.inhrelid = p_relation) then
        return (select k.relation from auditctl.capture as k where k.relation = p_relation::regclass);
    end if;
    return (
        with recursive ancestor as (
            select p_relation as relation, 0 as distance
            union all
            select parent.relation, a.distance + 1
            from ancestor as a
            cross join lateral (select i.inhparent as relation from pg_inherits as i where i.inhrelid = a.relation offset 0) as parent
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
declare
    v_descendants oid[];
begin
    if not exists (select from pg_inherits as i where i.inhparent = p_root) then
        return '{}';
    end if;
    with recursive downward as (
        select p_root as relation
        union
        select child.relation
        from downward
        cross join lateral (
            select i.inhrelid as relation
            from pg_inherits as i
            where i.inhparent = downward.relation and not exists (select from auditctl.capture as k where k.relation = i.inhrelid)
            offset 0
        ) as child
    )

    select array_agg(d.relation) into v_descendants from downward as d where d.relation <> p_root;
    return (
        -- Materialized, so that it does not ask about every relation of the database.
        with descendant as materialized (
            select c.oid, c.relispartition
            from pg_class as c
            -- Other sessions cannot see a temporary child.
            where c.oid = any (v_descendants) and c.relpersistence <> 't'
        )

        select coalesce(array_agg(d.oid::regclass order by d.oid), '{}')
        from descendant as d
        -- A partition has one parent, a child may have several.
        where d.relispartition or auditctl_internal.audited_through(d.oid) = p_root
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
    for v_state in
        select s.*
        from auditctl_internal.trigger_states(array[v_capture]) as s
        -- A table that has become a partition has partitions with triggers of its own.
        where s.relation = p_member and (s.fault = 'missing' or s.phrase ^@ 'calls auditctl_triggers.')
    loop
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
