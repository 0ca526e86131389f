-- Defines what a sound capture trigger is and how it is created, for the tool, which plans with it, and for the coverage
-- guard. Only `put_trigger` (sql/bootstrap/event_triggers.sql) creates triggers by code of its own: it has the rights of
-- the login that installed auditctl, so it calls nothing that auditctl_owner could replace.

create or replace function auditctl_internal.trigger_states(p_captures auditctl.capture[]) returns table (
    root oid, relation regclass, action auditctl.action, trigger text, type_bits smallint, function text,
    is_clone boolean, has_own_function boolean, fault text, phrase text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- Each "offset 0" has what is above it computed once. Otherwise PostgreSQL writes the expression for every use of it, and plans
    -- the query for several times as long as it runs.
    return query
    select
        s.root, s.relation::regclass, s.action, 'auditctl_' || lower(s.action::text), s.type_bits, s.expected, s.is_clone,
        not s.is_partition, s.fault, case s.fault
            when 'missing' then 'is gone'
            when 'uncloned' then 'is gone'
            when 'calls' then format('calls %s.%s', (select n.nspname from pg_namespace as n where n.oid = s.pronamespace), s.proname)
            when 'redefined' then 'is defined differently'
            when 'firing' then case s.tgenabled
                when 'D' then 'is disabled' when 'O' then 'is silent in replica mode' else 'is silent outside replica mode'
            end
            when 'unknown' then 'is for an action that this version does not know'
        end
    from (
        select
            required.*, f.pronamespace, f.proname, t.tgenabled, case
                when required.type_bits is null then 'unknown'
                when t.oid is null then case when required.is_clone then 'uncloned' else 'missing' end
                when f.pronamespace is distinct from to_regnamespace('auditctl_triggers')::oid or f.proname <> required.expected
                    then case when required.is_clone then 'uncloned' else 'calls' end
                when not required.is_clone and (
                    t.tgtype <> required.type_bits or t.tgqual is not null or t.tgnargs > 0 or t.tgconstraint <> 0
                    or t.tgattr <> ''::int2vector or t.tgoldtable is not null or t.tgnewtable is not null
                ) then 'redefined'
                when t.tgenabled <> 'A' then 'firing'
            end as fault
        from (
            select
                site.root, site.relation, captured.action, a.trigger, a.type_bits, site.is_partition, site.is_partition and a.per_row as is_clone,
                auditctl_internal.function_name(site.nspname, site.relname, captured.action) as expected
            from (
                select
                    k.relation::oid as root, k.actions, c.oid as relation, c.relkind, c.relispartition and c.oid <> k.relation as is_partition,
                    n.nspname, origin.relname
                from unnest(p_captures) as k
                cross join lateral unnest(k.relation::oid || k.members::oid[]) as m (oid)
                join pg_class as c on c.oid = m.oid
                -- PostgreSQL clones a row trigger to partitions with its function; a child shares nothing with its parent.
                join pg_class as origin on origin.oid = case when c.relispartition and c.oid <> k.relation then k.relation else c.oid end
                join pg_namespace as n on n.oid = origin.relnamespace
                offset 0
            ) as site
            cross join lateral unnest(site.actions) as captured (action)
            left join auditctl_internal.captured_action() as a on a.action = captured.action
            -- PostgreSQL has no triggers for reads, and no truncate triggers on foreign tables.
            where captured.action <> 'READ' and (site.relkind <> 'f' or a.per_row is not false)
            offset 0
        ) as required
        -- A clone is created and dropped only together with the trigger that it was cloned from.
        left join pg_trigger as t
            on t.tgrelid = required.relation and t.tgname = required.trigger and (t.tgparentid <> 0) = required.is_clone
        left join pg_proc as f on f.oid = t.tgfoid
        offset 0
    ) as s;
end
$auditctl$;
comment on function auditctl_internal.trigger_states is
    'Every trigger that captures need on their tables and members, with its fault as a keyword and as a phrase that follows the trigger''s name; nulls if it is sound';

create or replace function auditctl_internal.function_faults(p_names text[], p_comments text[], p_grantees text[])
returns table (name text, rank integer, fault text, reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    select expected.name, fault.rank, fault.kind, fault.reason
    from unnest(p_names, p_comments, p_grantees) as expected (name, comment, grantee)
    left join pg_proc as p
        on p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = expected.name and p.pronargs = 0 and p.prokind = 'f'
    left join pg_language as l on l.oid = p.prolang
    left join pg_description as d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
    cross join lateral (select d.description) as comment (text)
    cross join lateral (
        values
        (1, 'renamed', 'The table was renamed since.', p.oid is null),
        (
            2, 'comment', coalesce(
                'The table was renamed from ' || substring(comment.text from '^auditctl: .*? of (.+)$') || '.',
                'The function''s comment was changed.'
            ),
            comment.text is distinct from expected.comment
        ),
        (
            3, 'security', 'The function''s owner, privileges or security were changed.',
            not p.prosecdef or p.prorettype <> 'trigger'::regtype or l.lanname <> 'plpgsql'
        ),
        (
            4, 'privileges', 'The function''s owner, privileges or security were changed.',
            p.proowner <> 'auditctl_owner'::regrole
            or auditctl_internal.grantees(p.oid) <> array_remove(array[expected.grantee], null)
        ),
        (5, 'outdated', 'The function does not match the rule and the table''s columns.', p.provolatile <> 'v')
    ) as fault (rank, kind, reason, is_there)
    where fault.is_there and (p.oid is not null or fault.kind = 'renamed');
end
$auditctl$;
comment on function auditctl_internal.function_faults is
    'What is wrong with capture functions, apart from their source and settings, given their names and what their comments and grantees should be: a keyword and a sentence, rank 1 the most serious';

create or replace function auditctl_internal.is_outdated(p_expected auditctl.capture_function) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return exists (
        select
        from pg_proc as p
        cross join lateral (select coalesce(p.proconfig, '{}')) as settings (actual)
        where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = p_expected.name and p.pronargs = 0 and p.prokind = 'f'
            and (p.prosrc <> p_expected.source or not (settings.actual @> p_expected.settings and settings.actual <@ p_expected.settings))
    );
end
$auditctl$;
comment on function auditctl_internal.is_outdated is 'Whether the source or the settings of a capture function differ from what is generated';

create or replace function auditctl_internal.ranked_faults(p_fault text, p_phrase text, p_of_function jsonb) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A trigger that does not always fire ranks last: repairing any other fault also makes it fire always.
    return coalesce(jsonb_agg(jsonb_build_object('kind', f.kind, 'reason', f.reason) order by f.rank, f.position), '[]')
    from (
        select
            case p_fault when 'missing' then 0 when 'firing' then 3 else 2 end as rank, 0 as position, p_fault as kind,
            case p_fault
                when 'missing' then 'There is no trigger yet.'
                when 'uncloned' then 'PostgreSQL will put the trigger on this partition.'
                when 'redefined' then 'The trigger''s definition was changed.'
                else format('The trigger %s.', p_phrase)
            end as reason
        where p_fault is not null
        union all
        select case g.fault ->> 'kind' when 'renamed' then 1 else 2 end, g.position, g.fault ->> 'kind', g.fault ->> 'reason'
        from jsonb_array_elements(p_of_function) with ordinality as g (fault, position)
    ) as f;
end
$auditctl$;
comment on function auditctl_internal.ranked_faults is
    'The faults of a trigger and of its function, the most serious first: a kind and a reason each';

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
