-- How each install replaces functions and views, and drops former ones. Runs as auditctl_owner, before all else is created.

do $auditctl$
begin
    if pg_catalog.to_regprocedure('auditctl_internal.watch_ddl(text)') is not null then
        -- Lets no apply run meanwhile. First, as apply does: it then writes to auditctl.capture.
        lock table auditctl.rule in share update exclusive mode;
        -- Makes DDL on audited tables wait, as it would rewrite capture functions at the same time. Writers do not wait.
        lock table auditctl.capture in share row exclusive mode;
        -- The coverage guard does nothing for the rest of this transaction until replaced: what it calls is being changed.
        create or replace function auditctl_internal.watch_ddl(p_command text) returns void
        language plpgsql security definer
        set search_path = pg_catalog, pg_temp
        as 'begin end';
        create or replace function auditctl_internal.watch_drop(p_command text) returns void
        language plpgsql security definer
        set search_path = pg_catalog, pg_temp
        as 'begin end';
        create or replace function auditctl_internal.is_watched(p_command text) returns boolean
        language sql volatile security definer
        set search_path = pg_catalog, pg_temp
        as 'select false';
        create or replace function auditctl_internal.is_drop_watched() returns boolean
        language sql volatile security definer
        set search_path = pg_catalog, pg_temp
        as 'select false';
    end if;
end
$auditctl$;

-- Assigns the transaction id first, so that everything this transaction writes has that xmin or a younger one.
select pg_catalog.pg_current_xact_id();

create or replace function auditctl_internal.dependents(p_class oid, p_object oid) returns table (class oid, object oid)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive dependent as (
        select p_class as class, p_object as object
        union
        select direct.class, direct.object
        from dependent as d
        cross join lateral (
            select e.classid as class, e.objid as object
            from pg_depend as e
            where e.refclassid = d.class and e.refobjid = d.object
            union all
            -- A rewrite rule stands for its view.
            select 'pg_class'::regclass, r.ev_class
            from pg_rewrite as r
            where d.class = 'pg_rewrite'::regclass and r.oid = d.object
        ) as direct
    )

    select d.class, d.object
    from dependent as d
    where d.class not in ('pg_rewrite'::regclass, 'pg_type'::regclass)
$auditctl$;
comment on function auditctl_internal.dependents(oid, oid) is 'The object itself and everything that DROP ... CASCADE would drop with it';

create or replace function auditctl_internal.former_objects() returns table (class oid, object oid, kind text, name text)
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select 'pg_proc'::regclass::oid, p.oid, 'function', format('%I.%I', n.nspname, p.proname)
    from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    where n.nspname in ('auditctl', 'auditctl_internal') and p.proowner = 'auditctl_owner'::regrole
        and age(p.xmin) > age(pg_current_xact_id()::xid)
    union all
    select 'pg_class'::regclass::oid, c.oid, 'view', format('%I.%I', n.nspname, c.relname)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_rewrite as r on r.ev_class = c.oid
    where n.nspname in ('auditctl', 'auditctl_internal') and c.relowner = 'auditctl_owner'::regrole and c.relkind = 'v'
        and age(r.xmin) > age(pg_current_xact_id()::xid)
$auditctl$;
comment on function auditctl_internal.former_objects() is
    'Functions and views of the store that an earlier version created and this transaction has not replaced';

create or replace function auditctl_internal.created_names(p_sql text) returns setof text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select m.part[1] from regexp_matches(p_sql, 'create or replace [a-z]+ ([^ (]+)[ (]', 'g') as m (part)
$auditctl$;
comment on function auditctl_internal.created_names(text) is 'The names of the functions and views that SQL text creates or replaces';

create or replace function auditctl_internal.drop_former(p_sql text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_former record;
begin
    -- Drops first what nothing depends on. Calls in a function's body are resolved when it runs, so they do not count.
    loop
        with former as materialized (
            select f.class, f.object, f.kind, f.name from auditctl_internal.former_objects() as f
        ),

        goes as materialized (
            select distinct d.class, d.object
            from former as f
            cross join lateral auditctl_internal.dependents(f.class, f.object) as d
            where p_sql is null or f.name in (select c.name from auditctl_internal.created_names(p_sql) as c (name))
        )

        select f.class, f.object, f.kind, f.name
        into v_former
        from former as f
        join goes on goes.class = f.class and goes.object = f.object
        where not exists (
            select from auditctl_internal.dependents(f.class, f.object) as d where (d.class, d.object) <> (f.class, f.object)
        )
        order by f.name, f.object
        limit 1;
        exit when not found;
        execute format(
            'drop %s %s', case v_former.kind when 'view' then 'view' else 'routine' end,
            case v_former.kind when 'view' then v_former.object::regclass::text else v_former.object::regprocedure::text end
        );
        perform set_config(
            'auditctl.dropped', concat_ws(' ', nullif(current_setting('auditctl.dropped', true), ''), v_former.name || '('), true
        );
    end loop;
end
$auditctl$;
comment on function auditctl_internal.drop_former(text) is
    'Drops functions and views of an earlier version that nothing else depends on: those that p_sql creates with their dependents, or all';

create or replace function auditctl_internal.require_no_dependents(p_sql text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_obstacles text;
begin
    -- Of objects that depend on each other the last one is named: the view, and not the functions that it calls.
    with former as materialized (
        select f.class, f.object, f.name from auditctl_internal.former_objects() as f
    ),

    going as (
        select distinct other.class, other.object, other.name
        from former as f
        cross join lateral auditctl_internal.dependents(f.class, f.object) as d
        join former as other on other.class = d.class and other.object = d.object
        where p_sql is null or f.name in (select c.name from auditctl_internal.created_names(p_sql) as c (name))
    ),

    pair as materialized (
        select g.class, g.object, g.name, d.class as by_class, d.object as by_object
        from going as g
        cross join lateral auditctl_internal.dependents(g.class, g.object) as d
        where (d.class, d.object) <> (g.class, g.object)
    )

    select string_agg(distinct format('%s depends on %s', pg_describe_object(p.by_class, p.by_object, 0), p.name), ', ')
    into v_obstacles
    from pair as p
    where (p.by_class, p.by_object) not in (select f.class, f.object from former as f)
        and not exists (
            select
            from pair as nearer
            join pair as last on last.class = nearer.by_class and last.object = nearer.by_object
            where nearer.class = p.class and nearer.object = p.object and last.by_class = p.by_class and last.by_object = p.by_object
                and (last.class, last.object) in (select f.class, f.object from former as f)
        );
    if v_obstacles is not null then
        raise exception 'this version changes objects that others depend on: %', v_obstacles
            using errcode = 'dependent_objects_still_exist',
                hint = 'Drop the dependent objects, run install, then create them again. Nothing was changed.';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_no_dependents(text) is
    'Raises an error that names other objects that depend on an earlier version''s functions and views: on those that p_sql creates, or on any';

create or replace function auditctl_internal.replace_objects(p_sql text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    execute p_sql;
exception when invalid_function_definition or invalid_table_definition or wrong_object_type or ambiguous_function then
    -- CREATE OR REPLACE cannot change a function's return type or parameter names, or the columns of a view. With other
    -- parameter types it makes a second function, and the name alone, by which comments and grants refer to it, is ambiguous.
    perform auditctl_internal.drop_former(p_sql);
    begin
        execute p_sql;
    exception when invalid_function_definition or invalid_table_definition or wrong_object_type or ambiguous_function then
        perform auditctl_internal.require_no_dependents(p_sql);
        raise;
    end;
end
$auditctl$;
comment on function auditctl_internal.replace_objects(text) is
    'Runs a file that creates functions and views; drops and recreates those that CREATE OR REPLACE cannot change';

create or replace function auditctl_internal.renew_callers() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_dropped constant text[] := string_to_array(current_setting('auditctl.dropped', true), ' ');
    v_capture auditctl.capture;
    v_caller record;
begin
    if coalesce(v_dropped, '{}') = '{}' then
        return;
    end if;
    for v_capture in select k.* from auditctl.capture as k order by k.relation loop
        for v_caller in
            select t.tgrelid::regclass as relation, array_agg(a.action) as actions
            from pg_trigger as t
            join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'auditctl_triggers'::regnamespace
            join unnest(v_capture.actions) as a (action) on t.tgname = 'auditctl_' || lower(a.action::text)
            join pg_class as c on c.oid = t.tgrelid
            where (c.oid = v_capture.relation or c.oid = any (v_capture.members::oid[]) and not c.relispartition)
                and exists (select from unnest(v_dropped) as d (name) where strpos(p.prosrc, d.name) > 0)
            group by t.tgrelid
        loop
            v_capture.actions := v_caller.actions;
            perform auditctl_internal.write_functions(v_capture, array[v_caller.relation], false);
        end loop;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.renew_callers() is
    'Rewrites, from auditctl.capture, the capture functions that call a function which this transaction dropped';
