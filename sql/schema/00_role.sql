-- Roles and schemas. Runs as the installing DBA: a superuser, or a login with CREATEROLE and CREATE on the database.
-- Everything after this file runs as audit_owner.

do $auditctl$
declare
    v_role text;
begin
    if pg_catalog.current_setting('server_version_num')::integer < 140000 then
        raise exception 'auditctl needs PostgreSQL 14 or newer, this server is %', pg_catalog.current_setting('server_version')
            using errcode = 'feature_not_supported', hint = 'Upgrade the server, then run install again.';
    end if;
    if pg_catalog.getdatabaseencoding() <> 'UTF8' then
        raise exception 'auditctl needs a database in UTF8, this one is %', pg_catalog.getdatabaseencoding()
            using errcode = 'feature_not_supported', hint = 'Create the database with encoding UTF8.';
    end if;

    -- Roles belong to the whole cluster: a second database finds them in place, and two installs may meet here.
    foreach v_role in array array['audit_owner', 'audit_admin', 'audit_reader', 'audit_app'] loop
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
    where r.rolname in ('audit_owner', 'audit_admin', 'audit_reader', 'audit_app')
        and (r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication)
    order by r.rolname
    limit 1;
    if found then
        raise exception 'role % exists and can do more than auditctl''s role may', v_role
            using errcode = 'invalid_role_specification',
                hint = pg_catalog.format(
                    'Check who made it, then: alter role %I nologin nosuperuser nobypassrls nocreaterole nocreatedb noreplication',
                    v_role
                );
    end if;

    if exists (select from pg_catalog.pg_default_acl as d where d.defaclrole = 'audit_owner'::pg_catalog.regrole) then
        raise exception 'role audit_owner has default privileges, which would open what it creates to others'
            using errcode = 'invalid_role_specification',
                hint = 'Look at \ddp in psql, then revoke them: alter default privileges for role audit_owner ...';
    end if;

    -- An administrator is an auditor too, and may make others auditors.
    if not exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.roleid = 'audit_reader'::pg_catalog.regrole and m.member = 'audit_admin'::pg_catalog.regrole and m.admin_option
    ) then
        grant audit_reader to audit_admin with admin option;
    end if;

    -- Whoever installs into this database must be able to act as the owner, and to read and configure as an
    -- administrator. From PostgreSQL 16 on the owner's privileges are not inherited: then an everyday session cannot
    -- write to the log. Nobody else becomes the owner by running install again.
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
        if pg_catalog.to_regclass('audit.alembic_version') is not null then
            if not pg_catalog.pg_has_role(current_user, 'audit_owner', 'MEMBER') then
                raise exception '% is not the login that installed the store', current_user
                    using errcode = 'insufficient_privilege',
                        hint = 'Run install as that login or as a superuser.';
            end if;
        elsif pg_catalog.current_setting('server_version_num')::integer < 160000 then
            if not pg_catalog.pg_has_role(current_user, 'audit_owner', 'MEMBER') then
                execute pg_catalog.format('grant audit_owner, audit_admin to %I', current_user);
            end if;
        elsif not pg_catalog.pg_has_role(current_user, 'audit_owner', 'SET')
            or not pg_catalog.pg_has_role(current_user, 'audit_admin', 'USAGE')
        then
            execute pg_catalog.format('grant audit_owner to %I with inherit false, set true', current_user);
            execute pg_catalog.format('grant audit_admin to %I with inherit true, set true', current_user);
        end if;
    end if;

    for v_role in
        select n.nspname
        from pg_catalog.pg_namespace as n
        where n.nspname in ('audit', 'audit_triggers') and n.nspowner <> 'audit_owner'::pg_catalog.regrole
    loop
        raise exception 'schema % exists and is not auditctl''s', v_role
            using errcode = 'duplicate_schema',
                hint = 'auditctl keeps its log in the schemas audit and audit_triggers; rename yours, or use another database.';
    end loop;

    if pg_catalog.to_regnamespace('audit') is null then
        create schema audit authorization audit_owner;
    end if;
    if pg_catalog.to_regnamespace('audit_triggers') is null then
        create schema audit_triggers authorization audit_owner;
    end if;
end
$auditctl$;

set local role audit_owner;
