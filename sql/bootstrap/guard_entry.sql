-- The functions of the coverage guard's event triggers, after guard.sql and as that runs: they run with the rights of
-- whoever runs the command, find out whose they are, and call what the guard checks.

do $install$
declare
    v_what text;
    v_function regprocedure;
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        return;
    end if;
    foreach v_what in array array['ddl', 'drop'] loop
        execute pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace($function$
create or replace function auditctl_guard.guard_WHAT() returns event_trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
-- Runs with the rights of whoever runs the command, to find out whose they are.
declare
    v_is_trusted boolean;
    v_silenced text;
begin
    -- After a restore without privileges, only a superuser may call what is in this schema. What follows needs none.
    if not has_schema_privilege('auditctl_guard', 'usage') then
        SILENCED
        limit 1;
        if found then
            raise exception 'refused: this would silence capture: %', v_silenced
                using errcode = 'UA003', hint = 'The store was restored without privileges. Make it sound first: auditctl adopt';
        end if;
        raise warning 'audited tables may not be followed: the store in this database was restored without privileges'
            using hint = 'Run: auditctl adopt';
        return;
    end if;
    OWN_WORKv_is_trusted := auditctl_guard.is_trusted();
    -- A superuser who acts as auditctl_owner takes no part of the log away by mistake.
    if v_is_trusted and not (select r.rolsuper from pg_roles as r where r.rolname = current_user) then
        TAKEN
        limit 1;
        if found then
            perform auditctl_guard.refuse(v_silenced);
        end if;
    end if;
    perform auditctl_guard.check_WHAT(ARGUMENTS v_is_trusted);
end
$body$
        $function$, 'WHAT', v_what), 'SILENCED', case v_what
            when 'ddl' then $query$
        select format('%s on %s', t.tgname, t.tgrelid::regclass)
        into v_silenced
        from pg_event_trigger_ddl_commands() as c
        join pg_trigger as t on c.classid = 'pg_class'::regclass and t.tgrelid = c.objid
            or c.classid = 'pg_trigger'::regclass and t.oid = c.objid
            or c.classid = 'pg_rewrite'::regclass and t.tgrelid = (
                select r.ev_class from pg_rewrite as r where r.oid = c.objid and r.is_instead and r.ev_type in ('2', '3', '4')
            )
        join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = to_regnamespace('auditctl_triggers')
        where t.tgenabled <> 'A' or c.classid = 'pg_rewrite'::regclass$query$
            else $query$
        select d.object_identity
        into v_silenced
        from pg_event_trigger_dropped_objects() as d
        where d.object_type = 'trigger' and d.original
            and d.address_names[3] in ('auditctl_create', 'auditctl_update', 'auditctl_delete', 'auditctl_truncate')$query$
        end), 'TAKEN', case v_what
            when 'ddl' then $query$
        -- A month that was detached, renamed or moved to another schema.
        select c.oid::regclass::text
        into v_silenced
        from pg_event_trigger_ddl_commands() as command
        join pg_class as c on true
        left join pg_inherits as i on i.inhrelid = c.oid and i.inhparent = to_regclass('auditctl.event')
        where command.command_tag = 'ALTER TABLE' and case
                when c.relnamespace = to_regnamespace('auditctl') and c.relname ~ '^event_(default|[0-9]{4}_[0-9]{2})$'
                    then i.inhrelid is null and c.relkind = 'r' and command.objid = to_regclass('auditctl.event')
                else i.inhrelid = command.objid
            end$query$
            else $query$
        select d.object_identity
        into v_silenced
        from pg_event_trigger_dropped_objects() as d
        where d.original and d.object_type in ('table', 'schema') and d.address_names[1] in ('auditctl', 'auditctl_internal')
            -- Copies of events that a move left, which may be made again.
            and d.address_names[2] is distinct from 'event_moving'$query$
        end), 'OWN_WORK', case v_what
            when 'ddl' then $code$-- Concerns no table, and may be done: by the guard for each column that is added, by an install over a thousand times.
    if tg_tag in ('CREATE FUNCTION', 'ALTER FUNCTION', 'COMMENT', 'GRANT', 'REVOKE')
        and (auditctl_guard.has_pass() or auditctl_guard.is_trusted())
    then
        return;
    end if;
    $code$
            else ''
        end), 'ARGUMENTS', case v_what
            when 'ddl' then 'tg_tag, v_is_trusted or coalesce(not pg_has_role(current_user, to_regrole(''auditctl_owner''), ''MEMBER''), true) or auditctl_guard.is_free(),'
            else 'tg_tag,'
        end);
    end loop;
    comment on function auditctl_guard.guard_ddl() is 'The coverage guard, at the end of each DDL command';
    comment on function auditctl_guard.guard_drop() is 'The coverage guard, after each command that drops something';
    for v_function in select p.oid from pg_catalog.pg_proc as p where p.pronamespace = 'auditctl_guard'::pg_catalog.regnamespace loop
        execute pg_catalog.format('alter function %s owner to %I', v_function, session_user);
        execute pg_catalog.format('revoke execute on function %s from public', v_function);
    end loop;
    -- Checks work in an event trigger only; the others tell and change nothing that the caller could not.
    grant execute on function
        auditctl_guard.check_ddl(text, boolean, boolean), auditctl_guard.check_drop(text, boolean), auditctl_guard.is_trusted(),
        auditctl_guard.is_free(), auditctl_guard.has_pass(), auditctl_guard.refuse(text), auditctl_guard.make_way(text, text, name[]),
        auditctl_guard.audited_table(text, name[]), auditctl_guard.put_aside(regclass, text, regclass)
    to public;
    grant execute on function auditctl_guard.step(), auditctl_guard.read_new_rows(regclass) to auditctl_owner;
    -- Templates become code, and members of the owner that are known are not named by doctor.
    create or replace trigger template_kept before insert or update or delete or truncate on auditctl.template
    for each statement execute function auditctl_guard.keep_rows('a template');
    create or replace trigger member_kept before insert or update on auditctl.member
    for each row when (new.role = 'auditctl_owner') execute function auditctl_guard.keep_rows('a member of auditctl_owner');
    create or replace trigger administration_kept before insert or update or delete or truncate on auditctl.administration
    for each statement execute function auditctl_guard.keep_rows('the limit of administrators');
    alter table auditctl.template enable always trigger template_kept;
    alter table auditctl.administration enable always trigger administration_kept;
    alter table auditctl.member enable always trigger member_kept;
end
$install$;

set local role auditctl_owner;
