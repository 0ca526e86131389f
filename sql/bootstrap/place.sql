-- How the store knows whether it is where it was installed. Runs as the installing login, at every install, because the
-- coverage guard asks: auditctl_owner may change neither the answer nor the row that it is based on.

do $auditctl$
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        -- Revoked at the end of event_triggers.sql, in the same transaction.
        execute pg_catalog.format('grant usage, create on schema auditctl_internal to %I', session_user);
    end if;
end
$auditctl$;

reset role;

do $install$
begin
    -- A function that a superuser or another login owns stays as it is.
    if exists (
        select
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'auditctl_internal'::regnamespace and p.proname = 'displacement'
            and not pg_catalog.pg_has_role(session_user, p.proowner, 'MEMBER')
    ) then
        return;
    end if;
    execute $function$
create or replace function auditctl_internal.displacement() returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- A physical copy, a promoted standby and pg_upgrade preserve every sign, but for the cluster's identifier. A dump
-- preserves none of them. The object ids could be the same by accident, the writing transaction as well hardly.
declare
    v_phrase text;
begin
    select
        case
            when count(*) = 0 then 'was restored without its rows'
            when not bool_and(p.xmin = p.written_in and p.relation = p.tableoid) then 'was restored from a dump'
            when not bool_and(coalesce(p.database = d.oid, true)) then 'is a copy of another database'
        end
    into v_phrase
    from auditctl.place as p
    join pg_database as d on d.datname = current_database();
    return v_phrase;
exception when undefined_table then
    return 'was restored without the table auditctl.place';
end
$auditctl$
    $function$;
    alter function auditctl_internal.displacement() owner to session_user;
    revoke execute on function auditctl_internal.displacement() from public;
    grant execute on function auditctl_internal.displacement() to auditctl_owner;
    comment on function auditctl_internal.displacement() is
        'What happened to a store that is not where it was installed, as a phrase such as "was restored from a dump"; null in its place';
    -- Only the guard calls what follows, and only a superuser can create event triggers.
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        return;
    end if;
    execute $function$
create or replace function auditctl_internal.watch_displaced(p_command text, p_watch text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Runs as a superuser, and so calls only a function of auditctl_owner that cannot take those rights. Roles, owners, rows
-- and functions may be missing here, so it goes by the names of triggers and tables.
declare
    v_phrase constant text := auditctl_internal.displacement();
    v_silenced text;
begin
    if p_watch = 'watch_ddl' then
        select format('%s on %s', t.tgname, t.tgrelid::regclass)
        into v_silenced
        from pg_event_trigger_ddl_commands() as command
        join pg_trigger as t on command.classid = 'pg_class'::regclass and t.tgrelid = command.objid
            or command.classid = 'pg_trigger'::regclass and t.oid = command.objid
            or command.classid = 'pg_rewrite'::regclass and t.tgrelid = (
                select r.ev_class from pg_rewrite as r where r.oid = command.objid and r.is_instead and r.ev_type in ('2', '3', '4')
            )
        join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = to_regnamespace('auditctl_triggers')
        where t.tgenabled <> 'A' or command.classid = 'pg_rewrite'::regclass
        limit 1;
    else
        select format('%s on %s.%s', d.address_names[3], d.address_names[1], d.address_names[2])
        into v_silenced
        from pg_event_trigger_dropped_objects() as d
        where d.object_type = 'trigger' and d.original
            and d.address_names[3] in ('auditctl_create', 'auditctl_update', 'auditctl_delete', 'auditctl_truncate')
        limit 1;
        if not found and to_regclass('auditctl.capture') is not null then
            select d.object_identity
            into v_silenced
            from pg_event_trigger_dropped_objects() as d
            join auditctl.capture as k on d.classid = 'pg_class'::regclass and d.objsubid = 0 and k.relation = d.objid
            limit 1;
        end if;
    end if;
    if v_silenced is not null then
        raise exception 'refused: this would silence capture, which the store in this database still has: %', v_silenced
            using errcode = 'UA003', hint = format('The store %s. Make it sound first: auditctl adopt', v_phrase);
    end if;
    if p_watch = 'watch_ddl' then
        raise warning 'audited tables may not be followed: the store in this database %', v_phrase using hint = 'Run: auditctl adopt';
    end if;
    if exists (
        select
        from pg_proc as p
        join pg_roles as r on r.oid = p.proowner
        where p.oid = to_regprocedure(format('auditctl_internal.%I(text)', p_watch)) and p.prosecdef and r.rolname = 'auditctl_owner'
    ) then
        begin
            execute format('select auditctl_internal.%I(%L)', p_watch, p_command);
        exception when others then
            -- A refusal, and what the next attempt may not meet.
            if sqlstate = 'UA003' or sqlstate ~ '^(40|55P03|57)' then
                raise;
            end if;
            raise warning 'capture was not checked: %', sqlerrm using hint = 'Run: auditctl adopt';
        end;
    end if;
end
$auditctl$
    $function$;
    alter function auditctl_internal.watch_displaced(text, text) owner to session_user;
    revoke execute on function auditctl_internal.watch_displaced(text, text) from public;
    comment on function auditctl_internal.watch_displaced(text, text) is
        'The coverage guard of a store that is not in its place: warns, and refuses only what would silence capture';
end
$install$;

set local role auditctl_owner;
