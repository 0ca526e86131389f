-- Enables the coverage guard where the server allows the installing login to do so. Runs as that login, at every install.
-- Not versioned: event triggers belong to a superuser, so a later install by a superuser may add what an earlier one could not.

reset role;

do $install$
begin
    -- Functions that a superuser or another login owns stay as they are; this login installs the rest.
    if exists (
        select
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'auditctl_internal'::regnamespace and p.proname in ('put_trigger', 'put_read_policy')
            and not pg_catalog.pg_has_role(session_user, p.proowner, 'MEMBER')
    ) then
        return;
    end if;
    execute $function$
create or replace function auditctl_internal.put_trigger(p_relation regclass, p_trigger text, p_type_bits integer, p_function text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- The guard runs as auditctl_owner, which does not own the audited tables. This lends it one right of the installing login:
-- to create a capture trigger on a partition or child of a table that already has one, or on a table that is created under a
-- rule. It calls no function that auditctl_owner could replace, so it repeats what it must know about triggers.
declare
    v_event constant text := case p_type_bits & 60 when 4 then 'insert' when 8 then 'delete' when 16 then 'update' when 32 then 'truncate' end;
begin
    if p_trigger is null or not p_trigger ^@ 'auditctl_' or v_event is null or p_type_bits & ~61 <> 0 then
        raise exception 'not a capture trigger: %, type %', p_trigger, p_type_bits using errcode = 'invalid_parameter_value';
    end if;
    if exists (
        with recursive ancestor as (
            select i.inhparent as relation from pg_inherits as i where i.inhrelid = p_relation
            union
            select i.inhparent from ancestor as a join pg_inherits as i on i.inhrelid = a.relation
        )

        select
        from ancestor as a
        join pg_trigger as t on t.tgrelid = a.relation and t.tgname ^@ 'auditctl_'
        join pg_proc as p on p.oid = t.tgfoid
        where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proowner = 'auditctl_owner'::regrole
    ) then
        null; -- Only inside of an event trigger may anybody ask for the commands, so this comes first.
    -- Or the command that runs now created or moved it, or detached it from an audited table. Neither auditctl_owner nor
    -- its owner can make such a command appear.
    elsif not (
        exists (select from auditctl.capture as k where k.relation = p_relation or p_relation = any (k.members))
        and exists (
            select
            from pg_event_trigger_ddl_commands() as command
            join pg_class as c on c.oid = p_relation
            left join auditctl.capture as parent
                on command.classid = 'pg_class'::regclass and (parent.relation::oid = command.objid or command.objid = any (parent.members::oid[]))
            where command.classid = 'pg_class'::regclass and command.objid = p_relation
                or command.classid = 'pg_namespace'::regclass and command.objid = c.relnamespace
                or p_relation = any (parent.members)
        )
        -- The function takes no rights of who writes.
        and exists (
            select
            from pg_proc as p
            where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = p_function and p.pronargs = 0
                and p.proowner = 'auditctl_owner'::regrole and p.prosecdef
        )
    ) then
        raise exception '% does not descend from an audited table', p_relation using errcode = 'insufficient_privilege';
    end if;
    -- A table that was a partition still has the trigger for TRUNCATE of the table that it was a part of.
    if exists (
        select
        from pg_trigger as t
        join pg_proc as p on p.oid = t.tgfoid
        where t.tgrelid = p_relation and t.tgname = p_trigger and t.tgparentid = 0
            and p.pronamespace = 'auditctl_triggers'::regnamespace and p.proowner = 'auditctl_owner'::regrole
    ) then
        execute format('drop trigger %I on %s', p_trigger, p_relation);
    end if;
    execute format(
        'create trigger %I after %s on %s for each %s execute function auditctl_triggers.%I()',
        p_trigger, v_event, p_relation, case p_type_bits & 1 when 1 then 'row' else 'statement' end, p_function
    );
    execute format('alter table %s enable always trigger %I', p_relation, p_trigger);
end
$auditctl$
    $function$;
    alter function auditctl_internal.put_trigger(regclass, text, integer, text) owner to session_user;
    revoke execute on function auditctl_internal.put_trigger(regclass, text, integer, text) from public;
    grant execute on function auditctl_internal.put_trigger(regclass, text, integer, text) to auditctl_owner;
    comment on function auditctl_internal.put_trigger(regclass, text, integer, text) is
        'Creates a capture trigger on a new table, or on a partition or child of an audited one, with the rights of the login that installed auditctl';
    execute $function$
create or replace function auditctl_internal.put_read_policy(p_relation regclass, p_force boolean) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
-- The guard runs as auditctl_owner, which does not own the audited tables. This lends it one right of the installing login:
-- to create the read policies on a partition or child of a table that already has them, or on a table that is created under
-- a rule. It neither hides rows nor reveals hidden ones. It calls no function that auditctl_owner could replace.
declare
    v_opens constant boolean := not (select c.relrowsecurity from pg_class as c where c.oid = p_relation);
begin
    if exists (
        with recursive ancestor as (
            select i.inhparent as relation from pg_inherits as i where i.inhrelid = p_relation
            union
            select i.inhparent from ancestor as a join pg_inherits as i on i.inhrelid = a.relation
        )

        select
        from ancestor as a
        join pg_policy as p on p.polrelid = a.relation and p.polname = 'auditctl_read'
        where not p.polpermissive and p.polcmd = 'r'
            and pg_get_expr(p.polqual, p.polrelid) = format(
                '((pg_xact_status(( SELECT auditctl.record_read(%1$L::regclass) AS record_read)) IS DISTINCT FROM ''aborted''::text)'
                ' OR (pg_xact_status(auditctl.record_read(%1$L::regclass)) IS DISTINCT FROM ''aborted''::text))', a.relation::regclass::text
            )
    ) then
        null; -- Only inside of an event trigger may anybody ask for the commands, so this comes first.
    -- Or the command that runs now created or moved it, or detached it from an audited table. Neither auditctl_owner nor
    -- its owner can make such a command appear.
    elsif not (
        exists (select from auditctl.capture as k where k.relation = p_relation or p_relation = any (k.members))
        and exists (
            select
            from pg_event_trigger_ddl_commands() as command
            join pg_class as c on c.oid = p_relation
            left join auditctl.capture as parent
                on command.classid = 'pg_class'::regclass and (parent.relation::oid = command.objid or command.objid = any (parent.members::oid[]))
            where command.classid = 'pg_class'::regclass and command.objid = p_relation
                or command.classid = 'pg_namespace'::regclass and command.objid = c.relnamespace
                or p_relation = any (parent.members)
        )
    ) then
        raise exception '% does not descend from a table whose reads are audited', p_relation using errcode = 'insufficient_privilege';
    end if;
    if exists (
        select from pg_policy as p
        where p.polrelid = p_relation and (p.polname in ('auditctl_read', 'auditctl_open') or v_opens and not p.polpermissive)
    ) then
        raise exception '% has policies that conflict with those of auditctl', p_relation using errcode = 'insufficient_privilege';
    end if;
    execute format(
        'create policy auditctl_read on %1$s as restrictive for select to public using ('
        'pg_xact_status((select auditctl.record_read(%2$L::regclass))) is distinct from ''aborted'''
        ' or pg_xact_status(auditctl.record_read(%2$L::regclass)) is distinct from ''aborted'')', p_relation, p_relation::text
    );
    if v_opens then
        execute format('create policy auditctl_open on %s for all to public using (true) with check (true)', p_relation);
        execute format('alter table %s enable row level security', p_relation);
        if p_force then
            execute format('alter table %s force row level security', p_relation);
        end if;
    end if;
end
$auditctl$
    $function$;
    alter function auditctl_internal.put_read_policy(regclass, boolean) owner to session_user;
    revoke execute on function auditctl_internal.put_read_policy(regclass, boolean) from public;
    grant execute on function auditctl_internal.put_read_policy(regclass, boolean) to auditctl_owner;
    comment on function auditctl_internal.put_read_policy(regclass, boolean) is
        'Creates the read policies on a new table, or on a partition or child of an audited one, with the rights of the login that installed auditctl';
end
$install$;

do $auditctl$
declare
    v_is_superuser constant boolean := (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user);
    v_cluster bigint;
begin
    -- A superuser's place is one that auditctl_owner cannot change.
    if v_is_superuser then
        execute pg_catalog.format('alter table auditctl.place owner to %I', session_user);
    elsif (
        select c.relowner <> 'auditctl_owner'::pg_catalog.regrole
        from pg_catalog.pg_class as c
        where c.oid = 'auditctl.place'::pg_catalog.regclass
    ) then
        return;
    else
        set local role auditctl_owner;
    end if;
    grant select on auditctl.place to public; -- each command asks first where the store is
    if pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute') then
        v_cluster := (select c.system_identifier from pg_catalog.pg_control_system() as c);
    end if;
    if auditctl_internal.displacement() is null
        and (select p.system_identifier from auditctl.place as p) is not distinct from v_cluster
    then
        return;
    end if;
    -- Before the event triggers are there, as they ask. In a savepoint the row would have another xmin; this block opens none.
    delete from auditctl.place;
    insert into auditctl.place (system_identifier, database, relation, written_in)
    select v_cluster, d.oid, 'auditctl.place'::pg_catalog.regclass, pg_catalog.pg_current_xact_id()::xid
    from pg_catalog.pg_database as d
    where d.datname = pg_catalog.current_database();
end
$auditctl$;

do $auditctl$
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        return;
    end if;
    if not exists (select from pg_catalog.pg_event_trigger where evtname = 'auditctl_guard_ddl') then
        create event trigger auditctl_guard_ddl on ddl_command_end execute function auditctl_guard.guard_ddl();
    end if;
    if not exists (select from pg_catalog.pg_event_trigger where evtname = 'auditctl_guard_drop') then
        create event trigger auditctl_guard_drop on sql_drop execute function auditctl_guard.guard_drop();
    end if;
    if not exists (select from pg_catalog.pg_event_trigger where evtname = 'auditctl_guard_start') then
        create event trigger auditctl_guard_start on ddl_command_start when tag in ('ALTER TABLE', 'CREATE TRIGGER')
        execute function auditctl_guard.guard_start();
    end if;
    alter event trigger auditctl_guard_start enable always;
    comment on event trigger auditctl_guard_start is 'auditctl: makes way for the capture triggers that a command creates on a partition or from a dump';
    alter event trigger auditctl_guard_ddl enable always;
    alter event trigger auditctl_guard_drop enable always;
    comment on event trigger auditctl_guard_ddl is 'auditctl: keeps audited tables and the store itself as they are through DDL';
    comment on event trigger auditctl_guard_drop is 'auditctl: prevents audited tables, their triggers and parts of the store from being dropped';
end
$auditctl$;

set local role auditctl_owner;

do $auditctl$
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        execute pg_catalog.format('revoke usage, create on schema auditctl_internal from %I', session_user);
    end if;
end
$auditctl$;
