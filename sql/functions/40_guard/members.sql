-- Where capture is installed: what the tool leaves for the coverage guard, which compares the catalog with it.

create or replace function auditctl_internal.registered_name(p_relation oid) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl.qualified(n.nspname, c.relname)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation
$auditctl$;

comment on function auditctl_internal.registered_name(oid) is 'The name a relation would be registered under now; null where it is gone';

create or replace function auditctl_internal.related_relations(p_relations oid[]) returns setof oid
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

comment on function auditctl_internal.related_relations(oid[]) is 'Relations with all that descends from them, and all that any of these descends from';

create or replace function auditctl_internal.audited_through(p_relation oid) returns regclass
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

create or replace function auditctl_internal.current_members(p_root oid) returns regclass[]
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

create or replace function auditctl_internal.has_own_function(p_relation oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL clones a row trigger to partitions, function and all; a child shares nothing with its parent.
    select not c.relispartition from pg_class as c where c.oid = p_relation
$auditctl$;

comment on function auditctl_internal.has_own_function(oid) is 'Whether a member is a child, with functions for its own columns, and no partition';

create or replace function auditctl_internal.attach_member(p_member regclass, p_capture auditctl.capture) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_action auditctl.action;
    v_has_own constant boolean := auditctl_internal.has_own_function(p_member);
    v_function text;
begin
    foreach v_action in array p_capture.actions loop
        continue when not auditctl_internal.needs_trigger(p_member, v_action);
        if v_has_own then
            perform auditctl_internal.write_function(p_member, p_capture, v_action);
        end if;
        continue when exists (select from pg_trigger as t where t.tgrelid = p_member and t.tgname = 'auditctl_' || lower(v_action::text));
        select auditctl_internal.function_name(n.nspname, c.relname, v_action)
        into v_function
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = case when v_has_own then p_member else p_capture.relation end;
        perform auditctl_internal.put_trigger(p_member, v_action::text, v_function);
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

comment on function auditctl_internal.attach_member(regclass, auditctl.capture) is
    'Installs capture on a new partition or child of an audited table; returns whether the installing login''s rights allowed it';
