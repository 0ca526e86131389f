-- What the coverage guard does after DDL, for servers where nobody may create event triggers: once, at the end of a migration.

create or replace function auditctl_internal.is_guarded() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- As sql/queries/guarded.sql, which also serves where there is no store.
    select count(*) = 2
    from pg_event_trigger as e
    join pg_proc as p on p.oid = e.evtfoid
    join pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'auditctl_guard'
    where e.evttags is null and e.evtenabled = 'A' and (e.evtname, e.evtevent, p.proname) in (
        ('auditctl_guard_ddl', 'ddl_command_end', 'guard_ddl'), ('auditctl_guard_drop', 'sql_drop', 'guard_drop')
    )
$auditctl$;
comment on function auditctl_internal.is_guarded() is 'Whether the coverage guard is on';

create or replace function auditctl_internal.follow_table(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before auditctl.capture;
    v_followed auditctl.capture[];
    v_now auditctl.capture;
begin
    select k.* into v_before from auditctl.capture as k where k.relation = p_relation;
    -- The guard sees one command at a time; here the table may have a new name, and its columns, too.
    v_before.columns := v_before.columns - v_before.target
        || jsonb_build_object(auditctl_internal.registered_name(p_relation), v_before.columns -> v_before.target);
    v_followed := auditctl_internal.followed_capture(v_before);
    v_now := auditctl_internal.follow_rules(v_followed[1], v_followed[2]);
    update auditctl.capture
    set
        target = v_now.target, exclude = v_now.exclude, mask = v_now.mask, key = v_now.key,
        former_exclude = v_now.former_exclude, former_mask = v_now.former_mask
    where relation = p_relation;
    update auditctl.target as t
    set key_columns = auditctl_internal.followed_columns(t.key_columns, v_followed[1].columns, v_now.columns)
    where t.target = v_now.target;
end
$auditctl$;
comment on function auditctl_internal.follow_table is 'Makes the rules and the registration of an audited table follow its name and columns, as auditctl_internal.renew_capture does';

create or replace function auditctl_internal.follow_tables(p_relations oid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation regclass;
begin
    if auditctl_internal.is_guarded() then
        return;
    end if;
    for v_relation in
        select k.relation
        from auditctl.capture as k
        join pg_class as c on c.oid = k.relation
        where k.relation::oid = any (p_relations)
            and auditctl_internal.current_shape(k.relation, auditctl_internal.current_members(k.relation)) is distinct from k.shape
        order by k.relation
    loop
        perform auditctl_internal.follow_table(v_relation);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.follow_tables is
    'Makes the rules and the registration of those of the tables follow that DDL changed since; does nothing where the coverage guard does it';

create or replace function auditctl_internal.new_tables() returns oid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_due record;
    v_relations oid[] := '{}';
begin
    if not exists (select from auditctl.rule) then
        return v_relations;
    end if;
    for v_due in
        select
            (d ->> 'relation')::oid as relation, d ->> 'target' as target, d ->> 'name' as rule,
            case
                when not auditctl_internal.is_administrable(d ->> 'target') then 'it is not among the tables that administrators may change'
                when d -> 'actions' ? 'READ' then 'administrators may not begin the recording of reads'
            end as obstacle
        from jsonb_array_elements(auditctl_internal.due_captures(array(
            select c.oid
            from pg_class as c
            where c.relkind in ('r', 'p', 'f') and c.oid >= 16384 and pg_has_role(session_user, c.relowner, 'MEMBER')
                and not exists (select from auditctl.capture as k where k.relation::oid = c.oid)
        ))) as d
        where d ->> 'name' = d ->> 'target' or (d ->> 'auto')::boolean
    loop
        -- A migration does not fail for it: as the guard does, capture waits for somebody who may.
        if v_due.obstacle is null then
            v_relations := v_relations || v_due.relation;
        else
            raise warning '% is not audited yet, although rule % covers it: %', v_due.target, v_due.rule, v_due.obstacle
                using hint = 'The login that installed auditctl or a superuser must run: auditctl apply';
        end if;
    end loop;
    return v_relations;
end
$auditctl$;
comment on function auditctl_internal.new_tables() is
    'The tables of this login that a rule covers and that are not audited yet; warns of those whose capture administrators may not begin';

create or replace function auditctl.refresh_capture() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_relations oid[];
    v_names text[];
begin
    if auditctl_internal.is_guarded() then
        return;
    end if;
    v_relations := array(
        select d.oid
        from unnest(auditctl_internal.drifted_captures()) as d (oid)
        join auditctl.capture as k on k.relation::oid = d.oid
        -- What another login owns, this one did not change.
        left join pg_class as c on c.oid = d.oid
        where (
            pg_has_role(session_user, c.relowner, 'MEMBER')
            -- Administrators may not end the recording of reads: capture of a dropped table then waits for `apply`.
            or c.oid is null and not exists (select from auditctl.read_site as s where s.root::oid = d.oid)
        ) and auditctl_internal.is_administrable(coalesce(auditctl_internal.registered_name(d.oid), k.target)) and auditctl_internal.is_administrable(k.target)
        order by d.oid
    ) || auditctl_internal.new_tables();
    if v_relations = '{}' then
        return;
    end if;
    perform auditctl.lock_rules();
    v_names := array(select k.target from auditctl.capture as k where k.relation::oid = any (v_relations));
    perform auditctl_internal.follow_tables(v_relations);
    perform auditctl_internal.cover(v_relations, v_names || array(select auditctl_internal.registered_name(r) from unnest(v_relations) as r));
end
$auditctl$;
revoke execute on function auditctl.refresh_capture() from public;
grant execute on function auditctl.refresh_capture() to auditctl_admin;
comment on function auditctl.refresh_capture() is
    'Brings capture in step with DDL of this transaction and before, and takes in new tables that a rule covers; does nothing where the coverage guard does it';
