-- What the coverage guard refuses, and the messages it raises.

create or replace function auditctl_internal.command_line(p_command text, p_target text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Quoted for a shell.
    select
        'auditctl ' || p_command || ' ' || case
            when p_target ~ '^[A-Za-z0-9_.]+$' then p_target
            else '''' || replace(p_target, '''', '''' || chr(92) || '''''') || ''''
        end
$auditctl$;
comment on function auditctl_internal.command_line is 'An auditctl command for a table, ready to be pasted into a shell';

create or replace function auditctl_internal.how_to_stop(p_target text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select format(
        'To let one command pass, an administrator may run in its transaction: select auditctl.release(%L, ''REASON''). '
        'To stop auditing it, an administrator must first run: %s', p_target, auditctl_internal.command_line('disable', p_target)
    )
$auditctl$;
comment on function auditctl_internal.how_to_stop is 'The hint that a refusal gives: how to stop auditing a table, or to let one command pass';

create or replace function auditctl_internal.how_to_stop_dropped() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select format(
            'To let one command pass, an administrator may run in its transaction: select auditctl.release(%s, ''REASON'')',
            case when count(*) = 1 and not bool_or(c.is_schema) then quote_literal(min(c.name)) else 'TABLE' end
        )
            || case when count(*) = 1 and not bool_or(c.is_schema) then '. ' else ', for each table. ' end
            || 'To stop auditing ' || case when count(*) = 1 and not bool_or(c.is_schema) then 'it' else 'them' end
            || ', an administrator must first run: '
            || string_agg(auditctl_internal.command_line('disable', c.name), '; ' order by c.name) filter (where c.number <= 20)
            || case when count(*) > 20 then format('; and the same for %s others', count(*) - 20) else '' end
        from (
            select n.name, n.is_schema, row_number() over (order by n.name) as number
            from (
                select distinct
                    case when s.name is null then k.target else auditctl.qualified(s.name, '') || '*' end as name, s.name is not null as is_schema
                from pg_event_trigger_dropped_objects() as d
                join auditctl.capture as k on k.relation = d.objid
                left join (
                    select e.object_name as name from pg_event_trigger_dropped_objects() as e where e.classid = 'pg_namespace'::regclass
                ) as s on s.name = d.schema_name
                where d.classid = 'pg_class'::regclass and d.objsubid = 0 and k.on_drop = 'refuse'
                    and k.being_changed_by is distinct from pg_current_xact_id()
            ) as n
        ) as c
    );
end
$auditctl$;
comment on function auditctl_internal.how_to_stop_dropped is
    'The hint that a refused DROP gives: how to stop auditing all that it would drop, a whole schema by one glob. Only for use in an event trigger';

create or replace function auditctl_internal.use_release(p_relation oid) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- All that one command does counts as one use; auditctl_internal.end_release ends it before the next.
    update auditctl.release as r
    set is_used = true
    where r.relation::oid = p_relation and r.xact = pg_current_xact_id_if_assigned() and not exists (
        -- One that was placed since the release.
        select
        from auditctl.capture as k
        join auditctl.hold as h on h.released_at is null and auditctl.is_meant(h.target, k.target)
        where k.relation = r.relation
    );
    return found;
end
$auditctl$;
comment on function auditctl_internal.use_release is 'Whether this transaction may do to a table once what the guard refuses, which counts as done; see auditctl.release';

create or replace function auditctl_internal.end_release(p_relation oid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    delete from auditctl.release where relation::oid = p_relation and is_used and xact = pg_current_xact_id_if_assigned();
end
$auditctl$;
comment on function auditctl_internal.end_release is 'Ends the release of a table that an earlier command of this transaction used';

create or replace function auditctl_internal.released_changes(p_before auditctl.capture, p_now auditctl.capture) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if not exists (
        select from auditctl.release as r where r.relation = p_now.relation and r.is_used and r.xact = pg_current_xact_id_if_assigned()
    ) then
        return '[]';
    end if;
    return (
        select coalesce(jsonb_agg(c.change order by c.position, c.action, c.change), '[]')
        from (
            select 1 as position, s.action, jsonb_strip_nulls(jsonb_build_object(
                'trigger', s.trigger, 'state', s.phrase,
                'member', case when s.relation <> p_now.relation then auditctl_internal.registered_name(s.relation) end
            )) as change
            from auditctl_internal.trigger_states(array[p_now]) as s
            where s.fault is not null
            union all
            select 2, null, jsonb_build_object('rule', r.name)
            from auditctl_internal.new_rules(p_before.rules, p_now.rules) as r (name)
        ) as c
    );
end
$auditctl$;
comment on function auditctl_internal.released_changes is
    'What a released command did that the guard otherwise refuses, for its event: triggers with what is wrong with them, and INSTEAD rules; empty if the table was not released or the release not used';

create or replace function auditctl_internal.require_triggers(p_capture auditctl.capture) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_state record;
begin
    select s.* into v_state from auditctl_internal.trigger_states(array[p_capture]) as s where s.fault is not null limit 1;
    if found and not auditctl_internal.use_release(p_capture.relation) then
        perform nextval('auditctl.refused_ddl'); -- not undone with the rest
        raise exception 'refused: % is audited, and this would mean that trigger % %',
            auditctl_internal.registered_name(v_state.relation), v_state.trigger, v_state.phrase
            using errcode = 'UA003', hint = auditctl_internal.how_to_stop(p_capture.target) || '. If it was like this before: auditctl apply';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_triggers is 'Raises UA003 unless every trigger of an audited table and its members is in place';

create or replace function auditctl_internal.require_free_names(p_relations regclass[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_trigger record;
begin
    select t.tgname as name, t.tgrelid as relation
    into v_trigger
    from pg_trigger as t
    join auditctl_internal.captured_action() as a on a.trigger = t.tgname
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace <> 'auditctl_triggers'::regnamespace
    where t.tgrelid = any (p_relations::oid[])
    limit 1;
    if found then
        raise exception 'refused: trigger % on % has a name that only capture''s own triggers have',
            v_trigger.name, auditctl_internal.registered_name(v_trigger.relation)
            using errcode = 'UA003', hint = 'Give it another name, then try again.';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_free_names is
    'Raises UA003 if a trigger on a table to be audited has the name of a capture trigger: its owner could prevent capture so';

create or replace function auditctl_internal.require_no_new_rule(p_capture auditctl.capture, p_rules jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule text;
begin
    if p_rules = '[]' then
        return;
    end if;
    -- A rule may be renamed or disabled, but none may be added or replaced.
    select r.name into v_rule from auditctl_internal.new_rules(p_capture.rules, p_rules) as r (name) limit 1;
    if found and not auditctl_internal.use_release(p_capture.relation) then
        raise exception 'refused: % is audited, and rule % would keep writes from its triggers', p_capture.target, v_rule
            using errcode = 'UA003', hint = auditctl_internal.how_to_stop(p_capture.target);
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_no_new_rule is
    'Raises UA003 on an INSTEAD rule that was not there, or did something else, when capture was installed';

create or replace function auditctl_internal.require_no_forged_trigger() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_trigger record;
begin
    -- The owner of a partitioned table may execute its capture functions, and can name them as a member of
    -- pg_read_all_data. The installing login may create any trigger: a plan's script does so before capture is registered.
    if pg_has_role(session_user, 'auditctl_owner', 'MEMBER') then
        return;
    end if;
    select t.tgname as name, c.oid::regclass as relation, p.oid::regprocedure as function,
        auditctl_internal.registered_name(c.oid) as target, auditctl_internal.audited_through(c.oid) is not null as is_audited,
        c.relpersistence = 't' as is_temporary
    into v_trigger
    from pg_event_trigger_ddl_commands() as command
    join pg_trigger as t on command.classid = 'pg_trigger'::regclass and t.oid = command.objid
    join pg_class as c on c.oid = t.tgrelid
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'auditctl_triggers'::regnamespace
    where c.relpersistence = 't' or not exists (
        select
        from auditctl.capture as k
        join auditctl_internal.captured_action() as a on a.action = any (k.actions) and a.trigger = t.tgname
        where k.relation = auditctl_internal.audited_through(c.oid)
    )
    limit 1;
    if found then
        raise exception 'refused: trigger % on % calls %, which only capture itself may attach to a table',
            v_trigger.name, v_trigger.relation, v_trigger.function
            using errcode = 'UA003', hint = case
                when v_trigger.is_audited then 'The table is audited already.'
                when v_trigger.is_temporary then 'A temporary table cannot be audited.'
                else 'To audit the table, an administrator must run: ' || auditctl_internal.command_line('enable', v_trigger.target)
            end;
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_no_forged_trigger is
    'Raises UA003 if the command created a trigger that calls a capture function but is not one of capture''s own. Only for use in an event trigger';
