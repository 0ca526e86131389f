-- Roles and schemas. Runs as the installing DBA: a superuser, or a login with CREATEROLE and CREATE on the database.

do $auditctl$
declare
    v_role text;
    v_schema text;
    v_is_superuser constant boolean := (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user);
    v_is_new constant boolean := pg_catalog.to_regclass('auditctl.member') is null;
    v_names text;
    v_direct text;
    v_power text;
begin
    if pg_catalog.current_setting('server_version_num')::integer < 140000 then
        raise exception 'auditctl needs PostgreSQL 14 or newer, this server is %', pg_catalog.current_setting('server_version')
            using errcode = 'feature_not_supported', hint = 'Upgrade the server, then run install again.';
    end if;
    if pg_catalog.getdatabaseencoding() <> 'UTF8' then
        raise exception 'auditctl needs a database in UTF8, this one is %', pg_catalog.getdatabaseencoding()
            using errcode = 'feature_not_supported', hint = 'Create the database with encoding UTF8.';
    end if;

    -- Roles belong to the whole cluster: another database may have created them, and two installs may run at once.
    foreach v_role in array array['auditctl_owner', 'auditctl_admin', 'auditctl_reader', 'auditctl_app', 'auditctl_backup'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
            begin
                execute pg_catalog.format('create role %I nologin', v_role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;

    select r.rolname into v_role
    from pg_catalog.pg_roles as r
    where r.rolname in ('auditctl_owner', 'auditctl_admin', 'auditctl_reader', 'auditctl_app', 'auditctl_backup')
        and (r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication)
    order by r.rolname
    limit 1;
    if found then
        raise exception 'role % exists and has more rights than auditctl''s role may have', v_role
            using errcode = 'invalid_role_specification',
                hint = pg_catalog.format(
                    'Check who created it, then: alter role %I nologin nosuperuser nobypassrls nocreaterole nocreatedb noreplication',
                    v_role
                );
    end if;

    -- Whoever is a member could replace what the login that installs runs, and act as the owner in every database.
    with recursive member as (
        select m.member, m.member as direct from pg_catalog.pg_auth_members as m where m.roleid = 'auditctl_owner'::pg_catalog.regrole
        union
        select m.member, member.direct from member join pg_catalog.pg_auth_members as m on m.roleid = member.member
    )

    select
        pg_catalog.string_agg(distinct r.rolname::text, ', ' order by r.rolname::text),
        pg_catalog.string_agg(distinct member.direct::pg_catalog.regrole::text, ', ' order by member.direct::pg_catalog.regrole::text)
    into v_names, v_direct
    from member
    join pg_catalog.pg_roles as r on r.oid = member.member and not r.rolsuper and r.rolname <> session_user
    where not (r.rolcanlogin and exists (
        -- A login that installed has both roles, and a store: in another database, where nothing else of it is seen.
        select
        from pg_catalog.pg_auth_members as a
        join pg_catalog.pg_shdepend as d
            on d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.refobjid = 'auditctl_owner'::pg_catalog.regrole
        where a.member = r.oid and a.roleid = 'auditctl_admin'::pg_catalog.regrole and d.deptype = 'o' and d.dbid <> 0
    ));
    if v_names is not null then
        raise exception 'role auditctl_owner has members that auditctl did not make: %', v_names
            using errcode = 'invalid_role_specification',
                hint = 'They could replace what auditctl runs. Find out who granted it, then revoke it: revoke auditctl_owner from '
                    || v_direct;
    end if;
    select pg_catalog.string_agg(m.roleid::pg_catalog.regrole::text, ', ' order by m.roleid::pg_catalog.regrole::text)
    into v_names
    from pg_catalog.pg_auth_members as m
    where m.member = 'auditctl_owner'::pg_catalog.regrole;
    if v_names is not null then
        raise exception 'role auditctl_owner is a member of other roles: %', v_names
            using errcode = 'invalid_role_specification', hint = pg_catalog.format('It may have no rights of others: revoke %s from auditctl_owner', v_names);
    end if;
    if v_is_new then
        for v_role, v_power in
            values
            ('auditctl_owner', 'act as the owner of this store too'), ('auditctl_admin', 'read and administer this store too'),
            ('auditctl_reader', 'read this store too'), ('auditctl_app', 'name users in this store too'),
            ('auditctl_backup', 'read this store and its secrets too')
        loop
            select pg_catalog.string_agg(distinct r.rolname, ', ' order by r.rolname)
            into v_names
            from pg_catalog.pg_roles as r
            where not r.rolsuper and r.rolname <> session_user and r.rolname !~ '^auditctl_(owner|admin|reader|app|backup)$'
                and pg_catalog.pg_has_role(r.oid, v_role, 'MEMBER')
                -- An administrator is named once.
                and not (v_role = 'auditctl_reader' and pg_catalog.pg_has_role(r.oid, 'auditctl_admin', 'MEMBER'));
            if v_names is not null then
                raise warning 'members of % already, who can %: %', v_role, v_power, v_names;
            end if;
        end loop;
    end if;
    if not v_is_superuser and exists (
        select from pg_catalog.pg_event_trigger as e where e.evtname in ('auditctl_guard_ddl', 'auditctl_guard_drop') and e.evtenabled <> 'D'
    ) then
        raise exception 'the coverage guard keeps this store as a superuser installed it'
            using errcode = 'insufficient_privilege', hint = 'Run install as a superuser. Partitions are created by: auditctl maintain';
    end if;

    if exists (select from pg_catalog.pg_default_acl as d where d.defaclrole = 'auditctl_owner'::pg_catalog.regrole) then
        raise exception 'role auditctl_owner has default privileges, which would give others access to what it creates'
            using errcode = 'invalid_role_specification',
                hint = e'Look at \\ddp in psql, then revoke them with alter default privileges for role auditctl_owner';
    end if;

    -- An administrator is an auditor too, and may make others auditors.
    if not exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.roleid = 'auditctl_reader'::pg_catalog.regrole and m.member = 'auditctl_admin'::pg_catalog.regrole and m.admin_option
    ) then
        grant auditctl_reader to auditctl_admin with admin option;
    end if;

    -- The installing login must be able to act as the owner, and to read and configure as an administrator. From PostgreSQL
    -- 16 on it does not inherit the owner's privileges, so that its everyday sessions cannot write to the log.
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
        if pg_catalog.to_regclass('auditctl.alembic_version') is not null then
            if not pg_catalog.pg_has_role(current_user, 'auditctl_owner', 'MEMBER') then
                raise exception '% is not the login that installed the store', current_user
                    using errcode = 'insufficient_privilege', hint = 'Run install as that login or as a superuser.';
            end if;
        elsif pg_catalog.current_setting('server_version_num')::integer < 160000 then
            if not pg_catalog.pg_has_role(current_user, 'auditctl_owner', 'MEMBER') then
                execute pg_catalog.format('grant auditctl_owner, auditctl_admin to %I', current_user);
            end if;
        elsif not pg_catalog.pg_has_role(current_user, 'auditctl_owner', 'SET')
            or not pg_catalog.pg_has_role(current_user, 'auditctl_admin', 'USAGE')
        then
            execute pg_catalog.format('grant auditctl_owner to %I with inherit false, set true', current_user);
            execute pg_catalog.format('grant auditctl_admin to %I with inherit true, set true', current_user);
        end if;
    end if;

    for v_schema in
        select n.nspname
        from pg_catalog.pg_namespace as n
        join pg_catalog.pg_roles as r on r.oid = n.nspowner
        where n.nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers') and r.rolname <> 'auditctl_owner'
            or n.nspname = 'auditctl_guard' and not r.rolsuper
    loop
        raise exception 'schema % exists and does not belong to auditctl', v_schema
            using errcode = 'duplicate_schema',
                hint = 'auditctl keeps its log in schemas of these names: auditctl, auditctl_internal, auditctl_triggers, auditctl_guard. '
                    'Rename yours, or use another database.';
    end loop;

    foreach v_schema in array array['auditctl', 'auditctl_internal', 'auditctl_triggers'] loop
        if pg_catalog.to_regnamespace(v_schema) is null then
            execute pg_catalog.format('create schema %I authorization auditctl_owner', v_schema);
        end if;
    end loop;
end
$auditctl$;

set local role auditctl_owner;

revoke all on schema auditctl_internal, auditctl_triggers from public;
