-- How administrators' changes reach tables: by the fixed DDL of `lend`, which has the rights of the login that installed.

create or replace function auditctl_internal.require_lender(p_lender name, p_relation oid) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if exists (select from pg_class as c where c.oid = p_relation and not pg_has_role(p_lender, c.relowner, 'USAGE')) then
        raise exception '% belongs to %, whose rights % does not have',
            auditctl_internal.registered_name(p_relation), (select pg_get_userbyid(c.relowner) from pg_class as c where c.oid = p_relation), p_lender
            using errcode = 'insufficient_privilege',
                hint = 'Administrators reach the tables of the login that installed auditctl: grant it the role of the owner, or let a superuser run: auditctl install';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_lender is 'Raises 42501 if the login whose rights are lent does not have those of a table''s owner';

create or replace function auditctl_internal.borrow(p_task text, p_relation oid, p_detail text default null, p_function text default null)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_lend text;
    v_lender name;
    v_needs_function boolean := false;
    v_result bigint;
begin
    -- Without a superuser's install, anybody who may create schemas could have one that is called auditctl_guard.
    select format('%I.%I', n.nspname, p.proname), r.rolname
    into v_lend, v_lender
    from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    join pg_roles as r on r.oid = p.proowner
    where p.proname = 'lend' and p.prosecdef and pg_get_function_identity_arguments(p.oid) = 'p_task text, p_relation oid, p_detail text, p_function text'
        and (n.nspname = 'auditctl_guard' and r.rolsuper or n.nspname = 'auditctl_internal')
    order by n.nspname
    limit 1;
    if not found then
        raise exception 'what administrators need is not installed' using errcode = 'object_not_in_prerequisite_state', hint = 'Run: auditctl install';
    end if;
    perform auditctl_internal.require_lender(v_lender, p_relation);
    -- PostgreSQL asks it of whoever creates a trigger; what calls the function later needs nothing.
    if p_task = 'put' then
        v_needs_function := not has_schema_privilege(v_lender, 'auditctl_triggers', 'usage')
            or not has_function_privilege(v_lender, format('auditctl_triggers.%I()', p_function), 'execute');
    end if;
    if v_needs_function then
        execute format('grant usage on schema auditctl_triggers to %I', v_lender);
        execute format('grant execute on function auditctl_triggers.%I() to %I', p_function, v_lender);
    end if;
    execute format('select %s($1, $2, $3, $4)', v_lend) into v_result using p_task, p_relation, p_detail, p_function;
    if v_needs_function then
        execute format('revoke execute on function auditctl_triggers.%I() from %I', p_function, v_lender);
        execute format('revoke usage on schema auditctl_triggers from %I', v_lender);
    end if;
    return v_result;
end
$auditctl$;
comment on function auditctl_internal.borrow is 'Calls lend, with the rights of the login that installed auditctl, after making sure that these reach the table';

create or replace function auditctl_internal.run_function_statements(p_state jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set check_function_bodies = off
as $auditctl$
declare
    v_statement record;
begin
    for v_statement in
        select s.sql, s.as_owner
        from jsonb_to_recordset(p_state -> 'statements') as s (step integer, sql text, as_owner boolean)
        -- Those of triggers come from lend.
        where s.step < 10 or s.as_owner
        order by s.step
    loop
        if not v_statement.as_owner then
            raise exception 'function % belongs to another login', p_state ->> 'function'
                using errcode = 'insufficient_privilege', hint = 'Use a superuser, or the login that ran `auditctl install`.';
        end if;
        if v_statement.sql !~ ' (to|from) session_user$' then
            execute v_statement.sql;
        end if;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.run_function_statements is 'Creates or repairs the function of a trigger, given a row of auditctl.capture_triggers';

create or replace function auditctl_internal.triggers_to_drop(p_sites oid[], p_needed jsonb)
returns table (relation oid, action text, target text)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select t.tgrelid, a.action::text, coalesce(k.target, auditctl_internal.registered_name(t.tgrelid))
    from pg_trigger as t
    join auditctl_internal.captured_action() as a on a.trigger = t.tgname
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'auditctl_triggers'::regnamespace
    left join auditctl.capture as k on k.relation = t.tgrelid
    where t.tgrelid = any (p_sites) and t.tgparentid = 0
        and not exists (
            select from jsonb_to_recordset(p_needed) as n (relation bigint, action text, is_clone boolean)
            where n.relation::oid = t.tgrelid and n.action = a.action::text and not n.is_clone
        )
    order by t.tgrelid, a.action
$auditctl$;
comment on function auditctl_internal.triggers_to_drop is 'The capture triggers on relations that no capture needs, as trigger_states names those needed';

create or replace function auditctl_internal.record_changes(p_changes jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.insert_event(
        'auditctl.capture', done.target, 'EVENT', null, jsonb_build_object('changes', done.changes),
        'capture ' || (
            select string_agg(format('%s %s', kind.word, kind.actions), '; ' order by kind.position)
            from (
                select
                    case each.kind when 'CREATE' then 'installed:' when 'REPLACE' then 'replaced:' when 'ENABLE' then 'enabled again:' else 'removed:' end as word,
                    string_agg(lower(each.action::text), ', ' order by each.action) as actions,
                    min(each.position) as position
                from (
                    select c.change ->> 'kind' as kind, (c.change ->> 'action')::auditctl.action as action, min(c.position) as position
                    from jsonb_array_elements(done.changes) with ordinality as c (change, position)
                    group by 1, 2
                ) as each
                group by each.kind
            ) as kind
        )
    )
    from (
        select c.change ->> 'target' as target, jsonb_agg(c.change - 'target' order by c.position) as changes
        from jsonb_array_elements(p_changes) with ordinality as c (change, position)
        group by c.change ->> 'target'
        order by min(c.position)
    ) as done;
end
$auditctl$;
comment on function auditctl_internal.record_changes is
    'Records what was done to the capture of tables, one event for each: target, kind, action, relation and reason of every change';
