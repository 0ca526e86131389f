-- How a capture trigger and its function are created or repaired, for the tool, which plans with it, and for the guard.

create or replace function auditctl_internal.function_statements(p_expected auditctl.capture_function)
returns table (step integer, sql text, as_owner boolean)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = on
as $auditctl$
begin
    return query
    select s.step, s.sql, s.as_owner
    from (
        select format('%I.%I()', 'auditctl_triggers', p_expected.name), to_regprocedure(format('auditctl_triggers.%I()', p_expected.name))
    ) as f (name, oid)
    cross join lateral (
        select 1, format('alter function %s owner to %I', f.name, 'auditctl_owner'), false
        from pg_proc as p
        where p.oid = f.oid and p.proowner <> 'auditctl_owner'::regrole
        union all
        select 2, p_expected.statement, true
        union all
        select 3, format('revoke execute on function %s from public', f.name), true
        union all
        select 4, format('comment on function %s is %L', f.name, p_expected.comment), true
        union all
        select 5, format('revoke execute on function %s from %I', f.name, g.name), true
        from unnest(auditctl_internal.grantees(f.oid)) as g (name)
        where g.name <> 'public' and g.name is distinct from p_expected.grantee
        union all
        select 15, format('grant execute on function %s to %I', f.name, p_expected.grantee), true
        where p_expected.grantee is not null
    ) as s (step, sql, as_owner);
end
$auditctl$;
comment on function auditctl_internal.function_statements is
    'The statements that create or repair a capture function, by step, which orders the statements of several: those of functions, below 10, lock no table; each runs as auditctl_owner or as the login itself';

create or replace function auditctl_internal.trigger_statements(
    p_relation regclass, p_action auditctl.action, p_function text, p_fault text
)
returns table (step integer, sql text, as_owner boolean)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = on
as $auditctl$
begin
    return query
    select s.step, s.sql, s.as_owner
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join auditctl_internal.captured_action() as a on a.action = p_action
    cross join lateral (
        select format('%I.%I', n.nspname, c.relname), format('%I.%I()', 'auditctl_triggers', p_function)
    ) as on_table (name, function)
    -- The login needs EXECUTE on the function while it creates the trigger, and only then.
    cross join (select not pg_has_role(session_user, 'auditctl_owner', 'USAGE')) as owner (is_needed)
    cross join lateral (
        values
        (10, format('drop trigger %I on %s', a.trigger, on_table.name), false, p_fault not in ('missing', 'firing')),
        (6, format('grant usage on schema %I to session_user', 'auditctl_triggers'), true, owner.is_needed and p_fault <> 'firing'),
        (7, format('grant execute on function %s to session_user', on_table.function), true, owner.is_needed and p_fault <> 'firing'),
        (
            11, format(
                'create trigger %I after %s on %s for each %s execute function %s', a.trigger, a.event, on_table.name,
                case when a.per_row then 'row' else 'statement' end, on_table.function
            ), false, p_fault <> 'firing'
        ),
        (12, format('alter table %s enable always trigger %I', on_table.name, a.trigger), false, true),
        (13, format('revoke usage on schema %I from session_user', 'auditctl_triggers'), true, owner.is_needed and p_fault <> 'firing'),
        (14, format('revoke execute on function %s from session_user', on_table.function), true, owner.is_needed and p_fault <> 'firing')
    ) as s (step, sql, as_owner, is_needed)
    where c.oid = p_relation and s.is_needed;
end
$auditctl$;
comment on function auditctl_internal.trigger_statements is
    'The statements that create or replace a trigger or (fault firing) make it fire always, by step; each runs as auditctl_owner or as the login itself';

create or replace function auditctl_internal.capture_states(p_captures auditctl.capture[]) returns table (
    capture auditctl.capture, relation oid, action auditctl.action, trigger text, function text, grantee text, is_clone boolean,
    has_own_function boolean, fault text, phrase text, inputs text, is_known boolean, function_faults jsonb
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
begin
    return query
    with state as materialized (
        select
            k as capture, s.relation::oid, s.action, s.trigger, s.function, s.is_clone, s.fault, s.phrase,
            s.has_own_function and s.fault is distinct from 'unknown' as has_own_function,
            case when c.relkind = 'p' and a.per_row then pg_get_userbyid(c.relowner)::text end as grantee
        from auditctl_internal.trigger_states(p_captures) as s
        join unnest(p_captures) as k on k.relation::oid = s.root
        join pg_class as c on c.oid = s.relation
        left join auditctl_internal.captured_action() as a on a.action = s.action
    ),

    own as (
        select
            array_agg(s.function) as functions,
            array_agg(auditctl_internal.function_comment(s.action, (s.capture).target)) as comments,
            array_agg(s.grantee) as grantees
        from state as s
        where s.has_own_function
    ),

    faulty as materialized (
        select f.name, jsonb_agg(jsonb_build_object('kind', f.fault, 'reason', f.reason) order by f.rank) as faults
        from own as o
        cross join lateral auditctl_internal.function_faults(o.functions, o.comments, o.grantees) as f
        group by f.name
    )

    select
        s.capture, s.relation, s.action, s.trigger, s.function, case when s.has_own_function then s.grantee end, s.is_clone,
        s.has_own_function, s.fault, s.phrase, i.inputs,
        coalesce(known.digest = auditctl_internal.function_digest(i.inputs, s.action, p.prosrc, p.proconfig), false),
        case when s.has_own_function then coalesce(f.faults, '[]') else '[]' end
    from state as s
    left join auditctl_internal.function_inputs(p_captures) as i on i.root = (s.capture).relation::oid and i.relation = s.relation
    left join faulty as f on f.name = s.function
    left join auditctl.function_digest as known on known.function = s.function
    left join pg_proc as p
        on p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = s.function and p.pronargs = 0 and p.prokind = 'f';
end
$auditctl$;
comment on function auditctl_internal.capture_states is
    'Every trigger that captures need with what shows of its faults and of those of its function without generating that, and whether the source and settings of the function are known to be as generated';

create or replace function auditctl.capture_triggers(p_captures auditctl.capture[], p_is_thorough boolean default false) returns table (
    root oid, relation oid, action auditctl.action, trigger text, function text, grantee text, is_clone boolean, faults jsonb,
    statements jsonb, digest text
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_state record;
    v_site auditctl.capture_site;
    v_expected auditctl.capture_function;
begin
    for v_state in select s.* from auditctl_internal.capture_states(p_captures) as s order by s.relation, s.function loop
        root := (v_state.capture).relation;
        relation := v_state.relation;
        action := v_state.action;
        trigger := v_state.trigger;
        function := v_state.function;
        grantee := v_state.grantee;
        is_clone := v_state.is_clone;
        faults := v_state.function_faults;
        statements := '[]';
        digest := null;
        v_expected := null;
        if v_state.has_own_function
            and (p_is_thorough or not v_state.is_known or faults <> '[]' or coalesce(v_state.fault, 'firing') <> 'firing')
        then
            if v_site.relation is distinct from v_state.relation then
                v_site := auditctl_internal.describe_site(v_state.relation, (v_state.capture).relation);
            end if;
            v_expected := auditctl_internal.capture_function(v_site, v_state.capture, v_state.action);
            digest := auditctl_internal.function_digest(v_state.inputs, v_state.action, v_expected.source, v_expected.settings);
            if auditctl_internal.is_outdated(v_expected) then
                faults := faults || jsonb_build_object(
                    'kind', case when v_state.is_known then 'forged' else 'outdated' end,
                    'reason', 'The function does not match the rule and the table''s columns' || case
                        when v_state.is_known then ', although its digest says so.' else '.'
                    end
                );
            end if;
        end if;
        if v_state.fault is not null or faults <> '[]' then
            faults := auditctl_internal.ranked_faults(v_state.fault, v_state.phrase, faults);
            select coalesce(jsonb_agg(jsonb_build_object('sql', s.sql, 'as_owner', s.as_owner, 'step', s.step) order by s.step), '[]')
            into statements
            from (
                select f.*
                from auditctl_internal.function_statements(v_expected) as f
                where v_expected.name is not null and faults -> 0 ->> 'kind' <> 'firing'
                union all
                select t.*
                from auditctl_internal.trigger_statements(v_state.relation, v_state.action, v_state.function, v_state.fault) as t
                where v_state.fault in ('missing', 'calls', 'redefined', 'firing')
            ) as s;
        end if;
        return next;
    end loop;
end
$auditctl$;
revoke execute on function auditctl.capture_triggers from public;
grant execute on function auditctl.capture_triggers to auditctl_reader;
comment on function auditctl.capture_triggers is
    'Every trigger that rules need on tables and their members: its function, its faults (kind and reason, the most serious first), the statements that repair it, each run as auditctl_owner or as the login itself, and what auditctl.function_digest should have once the function is sound; null if it has it';
