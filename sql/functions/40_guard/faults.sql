-- Defines what a sound capture trigger is and how it is created, for the tool, which plans with it, and for the coverage
-- guard. Only `put_trigger` (sql/bootstrap/event_triggers.sql) creates triggers by code of its own: it has the rights of
-- the login that installed auditctl, so it calls nothing that auditctl_owner could replace.

create or replace function auditctl_internal.trigger_states(p_capture auditctl.capture) returns table (
    relation regclass, action auditctl.action, trigger text, type_bits smallint, function text,
    is_clone boolean, has_own_function boolean, fault text, phrase text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    select
        c.oid::regclass, captured.action, 'auditctl_' || lower(captured.action::text), a.type_bits, expected.name,
        part.is_clone, not part.is_partition, fault.kind,
        case fault.kind
            when 'missing' then 'is gone'
            when 'uncloned' then 'is gone'
            when 'calls' then format('calls %s.%s', fn.nspname, f.proname)
            when 'redefined' then 'is defined differently'
            when 'firing' then case t.tgenabled
                when 'D' then 'is disabled' when 'O' then 'is silent in replica mode' else 'is silent outside replica mode'
            end
            when 'unknown' then 'is for an action that this version does not know'
        end
    from unnest(p_capture.relation::oid || p_capture.members::oid[]) as site (oid)
    join pg_class as c on c.oid = site.oid
    cross join unnest(p_capture.actions) as captured (action)
    left join auditctl_internal.captured_action() as a on a.action = captured.action
    -- PostgreSQL clones a row trigger to partitions with its function; a child shares nothing with its parent.
    cross join lateral (
        select c.relispartition and c.oid <> p_capture.relation, c.relispartition and c.oid <> p_capture.relation and a.per_row
    ) as part (is_partition, is_clone)
    join pg_class as origin on origin.oid = case when part.is_partition then p_capture.relation else c.oid end
    join pg_namespace as n on n.oid = origin.relnamespace
    cross join lateral (select auditctl_internal.function_name(n.nspname, origin.relname, captured.action)) as expected (name)
    -- A clone is created and dropped only together with the trigger that it was cloned from.
    left join pg_trigger as t on t.tgrelid = c.oid and t.tgname = a.trigger and (t.tgparentid <> 0) = part.is_clone
    left join pg_proc as f on f.oid = t.tgfoid
    left join pg_namespace as fn on fn.oid = f.pronamespace
    cross join lateral (
        select (fn.nspname, f.proname) is distinct from ('auditctl_triggers', expected.name)
    ) as other (is_called)
    cross join lateral (
        select case
            when a.action is null then 'unknown'
            when part.is_clone and other.is_called then 'uncloned'
            when t.oid is null then 'missing'
            when other.is_called then 'calls'
            when not part.is_clone and (
                t.tgtype <> a.type_bits or t.tgqual is not null or t.tgnargs > 0 or t.tgconstraint <> 0
                or t.tgattr <> ''::int2vector or t.tgoldtable is not null or t.tgnewtable is not null
            ) then 'redefined'
            when t.tgenabled <> 'A' then 'firing'
        end
    ) as fault (kind)
    -- PostgreSQL has no triggers for reads, and no truncate triggers on foreign tables.
    where captured.action <> 'READ' and (c.relkind <> 'f' or a.per_row is not false);
end
$auditctl$;
comment on function auditctl_internal.trigger_states is
    'Every trigger that capture needs on a table and its members, with its fault as a keyword and as a phrase that follows the trigger''s name; nulls if it is sound';

create or replace function auditctl_internal.function_faults(p_expected auditctl.capture_function) returns table (fault text, reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    select fault.kind, fault.reason
    from (select p_expected.name) as expected
    left join pg_proc as p
        on p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = expected.name and p.pronargs = 0 and p.prokind = 'f'
    left join pg_language as l on l.oid = p.prolang
    left join pg_description as d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
    cross join lateral (select d.description, substring(d.description from '^auditctl: .*? of (.+)$')) as comment (text, target)
    cross join lateral (select coalesce(p.proconfig, '{}')) as settings (actual)
    cross join lateral (
        values
        ('renamed', 'The table was renamed since.', p.oid is null),
        (
            'comment', coalesce('The table was renamed from ' || comment.target || '.', 'The function''s comment was changed.'),
            comment.text is distinct from p_expected.comment
        ),
        (
            'security', 'The function''s owner, privileges or security were changed.',
            not p.prosecdef or p.prorettype <> 'trigger'::regtype or l.lanname <> 'plpgsql'
        ),
        (
            'privileges', 'The function''s owner, privileges or security were changed.',
            p.proowner <> 'auditctl_owner'::regrole
            or auditctl_internal.grantees(p.oid) <> array_remove(array[p_expected.grantee], null)
        ),
        (
            'outdated', 'The function does not match the rule and the table''s columns.',
            p.prosrc <> p_expected.source or p.provolatile <> 'v'
            or not (settings.actual @> p_expected.settings and settings.actual <@ p_expected.settings)
        )
    ) as fault (kind, reason, is_there)
    where fault.is_there and (p.oid is not null or fault.kind = 'renamed');
end
$auditctl$;
comment on function auditctl_internal.function_faults is
    'The faults of a capture function: a keyword and a sentence for each, the most serious first; empty if it is sound';

create or replace function auditctl_internal.grantees(p_function oid) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return coalesce(array_agg(distinct g.name order by g.name), '{}')
    from pg_proc as p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
    cross join lateral (select case a.grantee when 0 then 'public' else pg_get_userbyid(a.grantee)::text end) as g (name)
    where p.oid = p_function and a.grantee <> p.proowner;
end
$auditctl$;
comment on function auditctl_internal.grantees is 'The roles other than its owner that may execute a function, sorted; public for everybody';

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
        select 10, format('alter function %s owner to %I', f.name, 'auditctl_owner'), false
        from pg_proc as p
        where p.oid = f.oid and p.proowner <> 'auditctl_owner'::regrole
        union all
        select 11, p_expected.statement, true
        union all
        select 12, format('revoke execute on function %s from public', f.name), true
        union all
        select 13, format('comment on function %s is %L', f.name, p_expected.comment), true
        union all
        select 14, format('revoke execute on function %s from %I', f.name, g.name), true
        from unnest(auditctl_internal.grantees(f.oid)) as g (name)
        where g.name <> 'public' and g.name is distinct from p_expected.grantee
        union all
        select 30, format('grant execute on function %s to %I', f.name, p_expected.grantee), true
        where p_expected.grantee is not null
    ) as s (step, sql, as_owner);
end
$auditctl$;
comment on function auditctl_internal.function_statements is
    'The statements that create or repair a capture function, by step; each runs as auditctl_owner or as the login itself';

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
    cross join lateral (
        values
        (1, format('drop trigger %I on %s', a.trigger, on_table.name), false, p_fault not in ('missing', 'firing')),
        -- The login needs EXECUTE on the function while it creates the trigger, and only then. USAGE on the schema, which it
        -- needs for all triggers of a plan, is granted and revoked once.
        (21, format('grant execute on function %s to session_user', on_table.function), true, p_fault <> 'firing'),
        (
            22, format(
                'create trigger %I after %s on %s for each %s execute function %s', a.trigger, a.event, on_table.name,
                case when a.per_row then 'row' else 'statement' end, on_table.function
            ), false, p_fault <> 'firing'
        ),
        (
            case p_fault when 'firing' then 40 else 23 end,
            format('alter table %s enable always trigger %I', on_table.name, a.trigger), false, true
        ),
        (25, format('revoke execute on function %s from session_user', on_table.function), true, p_fault <> 'firing')
    ) as s (step, sql, as_owner, is_needed)
    where c.oid = p_relation and s.is_needed;
end
$auditctl$;
comment on function auditctl_internal.trigger_statements is
    'The statements that create or replace a trigger or (fault firing) make it fire always, by step; each runs as auditctl_owner or as the login itself, which needs USAGE on auditctl_triggers';

create or replace function auditctl.capture_triggers(p_capture auditctl.capture) returns table (
    relation oid, action auditctl.action, trigger text, function text, grantee text, is_clone boolean, faults jsonb, statements jsonb
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_state record;
    v_described regclass;
    v_columns auditctl.captured_column[];
    v_expected auditctl.capture_function;
begin
    for v_state in select s.* from auditctl_internal.trigger_states(p_capture) as s loop
        v_expected := null;
        if v_state.has_own_function and v_state.fault is distinct from 'unknown' then
            if v_described is distinct from v_state.relation then
                v_described := v_state.relation;
                v_columns := array(select c from auditctl_internal.captured_columns(v_described) as c);
            end if;
            v_expected := auditctl_internal.capture_function(v_state.relation, p_capture, v_state.action, v_columns);
        end if;
        relation := v_state.relation;
        action := v_state.action;
        trigger := v_state.trigger;
        function := v_state.function;
        grantee := v_expected.grantee;
        is_clone := v_state.is_clone;
        -- A trigger that does not always fire ranks last: repairing any other fault also makes it fire always.
        select coalesce(jsonb_agg(jsonb_build_object('kind', f.kind, 'reason', f.reason) order by f.rank, f.position), '[]')
        into faults
        from (
            select
                case v_state.fault when 'missing' then 0 when 'firing' then 3 else 2 end, 0, v_state.fault,
                case v_state.fault
                    when 'missing' then 'There is no trigger yet.'
                    when 'uncloned' then 'PostgreSQL will put the trigger on this partition.'
                    when 'redefined' then 'The trigger''s definition was changed.'
                    else format('The trigger %s.', v_state.phrase)
                end
            where v_state.fault is not null
            union all
            select case g.fault when 'renamed' then 1 else 2 end, g.position, g.fault, g.reason
            from auditctl_internal.function_faults(v_expected) with ordinality as g (fault, reason, position)
            where v_expected.name is not null
        ) as f (rank, position, kind, reason);
        statements := '[]';
        if faults <> '[]' then
            select coalesce(jsonb_agg(jsonb_build_object('sql', s.sql, 'as_owner', s.as_owner) order by s.step), '[]')
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
    'Every trigger that a rule needs on a table and its members: its function, its faults (kind and reason, the most serious first), and the statements that repair it, each run as auditctl_owner or as the login itself';
