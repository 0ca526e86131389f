-- What the coverage guard runs as a superuser. Runs as the installing login, at every install; does nothing unless that is
-- a superuser. The schema is the superuser's own: a member of auditctl_owner could drop or replace what is in its schemas.

reset role;

do $auditctl$
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        return;
    end if;
    if pg_catalog.to_regnamespace('auditctl_guard') is null then
        create schema auditctl_guard;
        comment on schema auditctl_guard is 'auditctl: what the coverage guard runs as a superuser; only a superuser can change it';
        create unlogged table auditctl_guard.pass (xact xid8 not null, constraint pass_pkey primary key (xact));
        comment on table auditctl_guard.pass is 'The transactions in which the guard or upkeep is changing the store; others see no row';
        comment on column auditctl_guard.pass.xact is 'The transaction';
    end if;
    execute pg_catalog.format('alter schema auditctl_guard owner to %I', session_user);
    execute pg_catalog.format('alter table auditctl_guard.pass owner to %I', session_user);
    -- An event trigger's function runs with the rights of whoever runs the command.
    grant usage on schema auditctl_guard to public;

    execute $function$
create or replace function auditctl_guard.open_pass() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    insert into auditctl_guard.pass (xact) values (pg_current_xact_id()) on conflict do nothing;
    return found;
end
$body$
    $function$;
    comment on function auditctl_guard.open_pass() is 'Allows this transaction to change the store, until auditctl_guard.close_pass; false if it was allowed already';

    execute $function$
create or replace function auditctl_guard.close_pass(p_is_open boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_is_open then
        delete from auditctl_guard.pass where xact = pg_current_xact_id();
    end if;
end
$body$
    $function$;
    comment on function auditctl_guard.close_pass(boolean) is 'Ends what auditctl_guard.open_pass allowed, given what that returned';

    execute $function$
create or replace function auditctl_guard.has_pass() returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    return exists (select from auditctl_guard.pass as p where p.xact = pg_current_xact_id_if_assigned());
end
$body$
    $function$;
    comment on function auditctl_guard.has_pass() is 'Whether the guard or upkeep is changing the store in this transaction';

    execute $function$
create or replace function auditctl_guard.is_free() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform set_config('role', current_setting('role'), true);
    return true;
exception when insufficient_privilege then
    return false;
end
$body$
    $function$;
    comment on function auditctl_guard.is_free() is
        'Whether the session may change its role here: not in a function with the rights of its owner, nor where PostgreSQL runs code for another role';

    execute $function$
create or replace function auditctl_guard.is_trusted() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- A superuser may act as another role, such as auditctl_owner, and return. Code that a superuser merely runs cannot.
    return case
        when (select r.rolsuper from pg_roles as r where r.rolname = current_user) then true
        when (select r.rolsuper from pg_roles as r where r.rolname = session_user) then auditctl_guard.is_free()
        else false
    end;
end
$body$
    $function$;
    comment on function auditctl_guard.is_trusted() is 'Whether a superuser is acting here, under whatever role';

    execute $function$
create or replace function auditctl_guard.keep_rows() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not auditctl_guard.is_trusted() and exists (
        select from pg_event_trigger as e where e.evtname = 'auditctl_guard_ddl' and e.evtenabled <> 'D'
    ) then
        perform auditctl_guard.refuse(tg_argv[0]);
    end if;
    return new;
end
$body$
    $function$;
    comment on function auditctl_guard.keep_rows() is 'Raises UA003 unless a superuser changes the rows, which only install writes';

    execute $function$
create or replace function auditctl_guard.require_owners_rights(p_function regprocedure) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- Only such a function cannot take the rights of its caller, who is a superuser.
    if not exists (select from pg_proc as p where p.oid = p_function and p.prosecdef and p.proowner = 'auditctl_owner'::regrole) then
        raise exception 'refused: % is not what auditctl installed', p_function
            using errcode = 'UA003', hint = 'Find out who changed it, then run: auditctl install';
    end if;
end
$body$
    $function$;
    comment on function auditctl_guard.require_owners_rights(regprocedure) is 'Raises UA003 unless a function runs with the rights of auditctl_owner';

    execute $function$
create or replace function auditctl_guard.is_of_store(p_class oid, p_object oid, p_schema text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_owner constant oid := 'auditctl_owner'::regrole;
    v_ours constant oid[] := array[
        to_regnamespace('auditctl'), to_regnamespace('auditctl_internal'), to_regnamespace('auditctl_triggers'),
        to_regnamespace('auditctl_guard')
    ]::oid[];
    v_relations oid[] := '{}';
begin
    if p_class <> 'pg_class'::regclass and exists (
        select from pg_namespace as n where n.nspname = p_schema and (n.oid = any (v_ours) or n.nspowner = v_owner)
    ) then
        return true;
    end if;
    -- The relation that the object is, belongs to, or refers to by a foreign key.
    if p_class = 'pg_class'::regclass then
        v_relations := p_object || array(select c.confrelid from pg_constraint as c where c.conrelid = p_object and c.contype = 'f');
    elsif p_class = 'pg_trigger'::regclass then
        v_relations := array(select t.tgrelid from pg_trigger as t where t.oid = p_object);
    elsif p_class = 'pg_rewrite'::regclass then
        v_relations := array(select w.ev_class from pg_rewrite as w where w.oid = p_object);
    elsif p_class = 'pg_policy'::regclass then
        v_relations := array(select p.polrelid from pg_policy as p where p.oid = p_object);
    elsif p_class = 'pg_statistic_ext'::regclass then
        v_relations := array(select s.stxrelid from pg_statistic_ext as s where s.oid = p_object);
    elsif p_class = 'pg_proc'::regclass then
        return exists (select from pg_proc as p where p.oid = p_object and (p.pronamespace = any (v_ours) or p.proowner = v_owner));
    elsif p_class = 'pg_type'::regclass then
        return exists (select from pg_type as t where t.oid = p_object and (t.typnamespace = any (v_ours) or t.typowner = v_owner));
    elsif p_class = 'pg_namespace'::regclass then
        return exists (select from pg_namespace as n where n.oid = p_object and (n.oid = any (v_ours) or n.nspowner = v_owner));
    elsif p_class = 'pg_cast'::regclass then
        return exists (
            select
            from pg_cast as k
            join pg_type as t on t.oid in (k.castsource, k.casttarget)
            where k.oid = p_object and (t.typnamespace = any (v_ours) or t.typowner = v_owner)
        );
    end if;
    -- And what these descend from.
    while v_relations <> '{}' loop
        if exists (
            select
            from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            where c.oid = any (v_relations) and (n.oid = any (v_ours) or n.nspowner = v_owner or c.relowner = v_owner)
        ) then
            return true;
        end if;
        v_relations := array(select distinct i.inhparent from pg_inherits as i where i.inhrelid = any (v_relations));
    end loop;
    return false;
end
$body$
    $function$;
    comment on function auditctl_guard.is_of_store(oid, oid, text) is
        'Whether an object is part of the store: in one of its schemas or owned by auditctl_owner, or on, under or referring to such a table';

    execute $function$
create or replace function auditctl_guard.refuse(p_object text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'refused: % is part of auditctl''s store', p_object
        using errcode = 'UA003',
            hint = 'Only a superuser changes the store, by auditctl install, and the limit of administrators, by auditctl apply; months are created and deleted by auditctl maintain.';
end
$body$
    $function$;
    comment on function auditctl_guard.refuse(text) is 'Raises UA003 about an object of the store';

    execute $function$
create or replace function auditctl_guard.check_ddl(p_command text, p_is_reported boolean, p_is_trusted boolean) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
-- To plan a statement costs more than to run it, and a plan for one object is good for all; an index finds it soonest.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $body$
declare
    v_command record;
    v_is_open boolean;
begin
    perform auditctl_guard.put_back();
    -- Before anything that asks for the place: under another name, the store would seem to be out of it.
    if p_command = 'ALTER SCHEMA' and not p_is_trusted then
        for v_command in
            select c.object_identity as name
            from pg_event_trigger_ddl_commands() as c
            join pg_namespace as n on c.classid = 'pg_namespace'::regclass and n.oid = c.objid
            where n.nspowner = to_regrole('auditctl_owner') and n.nspname not in ('auditctl', 'auditctl_internal', 'auditctl_triggers')
        loop
            perform auditctl_guard.refuse(v_command.name);
        end loop;
    end if;
    if to_regprocedure('auditctl_internal.displacement()') is not null then
        if auditctl_internal.displacement() is not null then
            -- Not what the guard itself does, such as to create a trigger that the next command enables.
            if auditctl_guard.open_pass() then
                perform auditctl_internal.watch_displaced(p_command, 'watch_ddl');
                perform auditctl_guard.close_pass(true);
            end if;
            return;
        end if;
    end if;
    if not p_is_trusted and not exists (select from auditctl_guard.pass as p where p.xact = pg_current_xact_id()) then
        for v_command in
            select c.classid, c.objid, c.schema_name, coalesce(c.object_identity, c.object_type) as name
            from pg_event_trigger_ddl_commands() as c
            where c.command_tag <> 'REINDEX' and c.classid is not null
        loop
            if not auditctl_guard.is_of_store(v_command.classid, v_command.objid, v_command.schema_name) then
                continue;
            end if;
            -- What apply creates there is what the guard would: see auditctl_internal.is_as_generated.
            if v_command.classid = 'pg_proc'::regclass and v_command.schema_name = 'auditctl_triggers' then
                perform auditctl_guard.require_owners_rights('auditctl_internal.is_as_generated(oid)');
                if p_command = 'COMMENT' or auditctl_internal.is_as_generated(v_command.objid) then
                    continue;
                end if;
            end if;
            perform auditctl_guard.refuse(v_command.name);
        end loop;
        -- Inside REFRESH, PostgreSQL does not report which objects a command changed.
        if not found and not p_is_reported and p_command ~ '^(ALTER|CREATE) ' then
            perform auditctl_guard.refuse('what ' || p_command || ' changes here');
        end if;
    end if;
    if to_regprocedure('auditctl_internal.watch_ddl(text)') is null or to_regprocedure('auditctl_internal.is_watched(text)') is null then
        return;
    end if;
    perform auditctl_guard.require_owners_rights('auditctl_internal.is_watched(text)');
    if not auditctl_internal.is_watched(p_command) then
        return;
    end if;
    perform auditctl_guard.require_owners_rights('auditctl_internal.watch_ddl(text)');
    v_is_open := auditctl_guard.open_pass();
    perform auditctl_internal.watch_ddl(p_command);
    perform auditctl_guard.close_pass(v_is_open);
end
$body$
    $function$;
    comment on function auditctl_guard.check_ddl(text, boolean, boolean) is
        'Refuses a command that changes the store, unless a superuser, upkeep or the guard itself runs it, then checks audited tables';

    execute $function$
create or replace function auditctl_guard.check_drop(p_command text, p_is_trusted boolean) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
-- To plan a statement costs more than to run it, and a plan for one object is good for all; an index finds it soonest.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $body$
declare
    v_dropped text;
    v_is_open boolean;
begin
    if to_regprocedure('auditctl_internal.displacement()') is not null then
        -- Without its place, the store is not out of place: this command dropped it.
        if auditctl_internal.displacement() is not null and not exists (
            select from pg_event_trigger_dropped_objects() as d
            where d.classid = 'pg_class'::regclass and d.address_names[1:2] = '{auditctl,place}'
        ) then
            -- Not what the guard itself does, such as to create a trigger that the next command enables.
            if auditctl_guard.open_pass() then
                perform auditctl_internal.watch_displaced(p_command, 'watch_drop');
                perform auditctl_guard.close_pass(true);
            end if;
            return;
        end if;
    end if;
    if not p_is_trusted and not exists (select from auditctl_guard.pass as p where p.xact = pg_current_xact_id()) then
        select d.object_identity
        into v_dropped
        from pg_event_trigger_dropped_objects() as d
        where d.address_names[1] in ('auditctl', 'auditctl_internal', 'auditctl_triggers', 'auditctl_guard')
            -- A capture function without triggers may go; with them, the triggers are what is missed.
            and not (d.object_type = 'function' and d.schema_name = 'auditctl_triggers')
        order by d.original desc, d.object_identity
        limit 1;
        if found then
            perform auditctl_guard.refuse(v_dropped);
        end if;
    end if;
    if to_regprocedure('auditctl_internal.watch_drop(text)') is null then
        -- A superuser has removed the store: the guard goes with it.
        if to_regnamespace('auditctl_internal') is null and to_regnamespace('auditctl') is null then
            set local client_min_messages = warning;
            drop schema auditctl_guard cascade;
        end if;
        return;
    end if;
    if to_regprocedure('auditctl_internal.is_drop_watched()') is null then
        return;
    end if;
    perform auditctl_guard.require_owners_rights('auditctl_internal.is_drop_watched()');
    if not auditctl_internal.is_drop_watched() then
        return;
    end if;
    perform auditctl_guard.require_owners_rights('auditctl_internal.watch_drop(text)');
    v_is_open := auditctl_guard.open_pass();
    perform auditctl_internal.watch_drop(p_command);
    perform auditctl_guard.close_pass(v_is_open);
end
$body$
    $function$;
    comment on function auditctl_guard.check_drop(text, boolean) is
        'Refuses a command that drops a part of the store, unless a superuser, upkeep or the guard itself runs it, then checks audited tables';

    execute $function$
create or replace function auditctl_guard.step() returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_is_open boolean;
    v_done jsonb;
begin
    -- Whoever calls this gets one step of upkeep, which takes no argument, and nothing else runs while the pass is open.
    perform auditctl_guard.require_owners_rights('auditctl_internal.do_step()');
    v_is_open := auditctl_guard.open_pass();
    v_done := auditctl_internal.do_step();
    perform auditctl_guard.close_pass(v_is_open);
    return v_done;
end
$body$
    $function$;
    comment on function auditctl_guard.step() is 'Does a step of upkeep, which may change the store; called by auditctl.maintain_step';
end
$auditctl$;
