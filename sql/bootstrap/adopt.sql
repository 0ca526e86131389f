-- Gives a restored store back to auditctl_owner. Runs before everything else of an install, as the adopting login: a
-- superuser, or the owner of what was restored. Calls nothing of the store. `auditctl.steps` collects what was done.

do $auditctl$
declare
    v_is_superuser constant boolean := (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user);
    v_role text;
    v_command text;
    v_given integer := 0;
    v_steps jsonb := '[]';
begin
    -- Only in the same cluster do logins have the same object ids; adopted.sql asks.
    if pg_catalog.to_regclass('auditctl.place') is not null
        and pg_catalog.has_table_privilege('auditctl.place', 'select')
        and pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
    then
        perform pg_catalog.set_config('auditctl.is_same_cluster', pg_catalog.bool_and(p.system_identifier = c.system_identifier)::text, true)
        from auditctl.place as p
        cross join pg_catalog.pg_control_system() as c;
    end if;
    foreach v_role in array array['auditctl_owner', 'auditctl_admin', 'auditctl_reader', 'auditctl_app', 'auditctl_backup'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
            execute pg_catalog.format('create role %I nologin', v_role);
            v_steps := v_steps || pg_catalog.to_jsonb(pg_catalog.format('role %s created', v_role));
        end if;
    end loop;
    -- From PostgreSQL 16 on, who creates a role administers it, but may not act as it.
    if not v_is_superuser
        and (v_steps ? 'role auditctl_owner created' or not pg_catalog.pg_has_role(session_user, 'auditctl_owner', 'MEMBER'))
    then
        execute pg_catalog.format('grant auditctl_owner, auditctl_admin to %I', session_user);
    end if;
    -- The guard of the restored store may not know its tables. The install that follows enables it again.
    if v_is_superuser then
        for v_command in
            select pg_catalog.format('alter event trigger %I disable', e.evtname)
            from pg_catalog.pg_event_trigger as e
            where e.evtname in ('auditctl_guard_ddl', 'auditctl_guard_drop')
        loop
            execute v_command;
        end loop;
        -- What its triggers on tables of the store call.
        if pg_catalog.to_regnamespace('auditctl_guard') is not null then
            grant usage on schema auditctl_guard to public;
        end if;
    end if;
    for v_command in
        with ours as (
            select n.oid, n.nspowner
            from pg_catalog.pg_namespace as n
            where n.nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers')
        )

        select pg_catalog.format('%s %s', object.kind, object.name)
        from (
            select 'schema' as kind, o.oid::pg_catalog.regnamespace::text as name, o.nspowner as owner, 1 as rank from ours as o
            union all
            select
                case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, c.oid::pg_catalog.regclass::text, c.relowner, 2
            from ours as o
            join pg_catalog.pg_class as c on c.relnamespace = o.oid
            where c.relkind in ('r', 'p', 'v', 'S')
                -- A superuser's place belongs to the superuser.
                and not (c.relname = 'place' and v_is_superuser)
                -- A sequence that belongs to a table has the table's owner.
                and not (c.relkind = 'S' and exists (
                    select
                    from pg_catalog.pg_depend as d
                    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype in ('a', 'i')
                ))
            union all
            select 'type', t.oid::pg_catalog.regtype::text, t.typowner, 3
            from ours as o
            join pg_catalog.pg_type as t on t.typnamespace = o.oid
            left join pg_catalog.pg_class as c on c.oid = t.typrelid
            where t.typtype in ('e', 'd', 'c') and coalesce(c.relkind = 'c', true)
            union all
            select 'routine', p.oid::pg_catalog.regprocedure::text, p.proowner, 4
            from ours as o
            join pg_catalog.pg_proc as p on p.pronamespace = o.oid
            -- These have the rights of the login that installs.
            where p.proname not in ('displacement', 'watch_displaced', 'put_trigger', 'put_read_policy', 'lend', 'lend_rows', 'guard_ddl', 'guard_drop', 'guard_start')
        ) as object
        where object.owner <> 'auditctl_owner'::pg_catalog.regrole
        order by object.rank, object.name
    loop
        execute pg_catalog.format('alter %s owner to auditctl_owner', v_command);
        v_given := v_given + 1;
    end loop;
    if v_given > 0 then
        v_steps := v_steps || pg_catalog.to_jsonb(pg_catalog.format('%s objects of the store given to auditctl_owner', v_given));
    end if;
    perform pg_catalog.set_config('auditctl.steps', v_steps::text, true);
end
$auditctl$;
