-- How the coverage guard keeps the functions of triggers up to date.

create or replace function auditctl_internal.rename_function(p_old text, p_new text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_existing constant oid := to_regprocedure(format('auditctl_triggers.%I()', p_new));
begin
    if exists (select from pg_trigger as t where t.tgfoid = v_existing) then
        raise exception 'refused: auditctl_triggers.% belongs to another table', p_new
            using errcode = 'UA003', hint = 'Run auditctl apply, which corrects the functions, then try again.';
    end if;
    if p_old is not null then
        -- The function of a dropped table remains until apply is run.
        if v_existing is not null then
            execute format('drop routine auditctl_triggers.%I()', p_new);
        end if;
        execute format('alter function auditctl_triggers.%I() rename to %I', p_old, p_new);
    end if;
end
$auditctl$;
comment on function auditctl_internal.rename_function is
    'Renames a capture function after its table was renamed; for a null old name only checks that the new name is free. Raises UA003 if another table uses it';

create or replace function auditctl_internal.write_site(p_site auditctl.capture_site, p_capture auditctl.capture, p_are_new boolean)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set check_function_bodies = off
as $auditctl$
declare
    v_inputs constant text := auditctl_internal.site_inputs(p_site, p_capture, auditctl_internal.generator());
    v_trigger record;
    v_expected auditctl.capture_function;
    v_functions auditctl.capture_function[] := '{}';
    v_names text[] := '{}';
    v_comments text[] := '{}';
    v_grantees text[] := '{}';
    v_outdated text[] := '{}';
    v_faulty text[];
    v_statement text;
    v_digests jsonb := '{}';
begin
    for v_trigger in
        select
            a.action, p.proname as function, p.proowner = 'auditctl_owner'::regrole as is_ours, p.prosrc as source,
            coalesce(p.proconfig, '{}') as settings
        from auditctl_internal.captured_action() as a
        left join pg_trigger as t on t.tgrelid = p_site.relation and t.tgname = a.trigger
        left join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = to_regnamespace('auditctl_triggers')
            -- One that was a partition still calls the function of the table that it was a part of, which stays that table's.
            and (p.proname = auditctl_internal.function_name(p_site.schema, p_site.name, a.action) or not exists (
                select from pg_trigger as other
                where other.tgfoid = t.tgfoid and other.tgrelid <> all (p_capture.relation::oid || p_capture.members::oid[])
            ))
        where a.action = any (p_capture.actions)
            -- PostgreSQL has no truncate triggers on foreign tables.
            and (t.oid is not null or p_are_new and (a.per_row or p_site.kind <> 'f'))
    loop
        v_expected := auditctl_internal.capture_function(p_site, p_capture, v_trigger.action);
        if v_trigger.function is distinct from v_expected.name then
            perform auditctl_internal.rename_function(v_trigger.function, v_expected.name);
        end if;
        -- One of another owner waits for apply, which may take it back; the careful way records rows until then.
        continue when v_trigger.is_ours is false;
        v_functions := array_append(v_functions, v_expected);
        v_names := array_append(v_names, v_expected.name);
        v_comments := array_append(v_comments, v_expected.comment);
        v_grantees := array_append(v_grantees, v_expected.grantee);
        if v_trigger.function is distinct from v_expected.name or v_trigger.source <> v_expected.source
            or not (v_trigger.settings @> v_expected.settings and v_trigger.settings <@ v_expected.settings)
        then
            v_outdated := array_append(v_outdated, v_expected.name);
        end if;
        v_digests := v_digests || jsonb_build_object(
            v_expected.name, auditctl_internal.function_digest(v_inputs, v_trigger.action, v_expected.source, v_expected.settings)
        );
    end loop;
    if v_functions = '{}' then
        return;
    end if;
    v_faulty := array(select f.name from auditctl_internal.function_faults(v_names, v_comments, v_grantees) as f);
    foreach v_expected in array v_functions loop
        if v_expected.name = any (v_faulty) then
            for v_statement in select s.sql from auditctl_internal.function_statements(v_expected) as s order by s.step loop
                execute v_statement;
            end loop;
        elsif v_expected.name = any (v_outdated) then
            -- Owner, privileges and comment stay as they are.
            execute v_expected.statement;
        end if;
    end loop;
    perform auditctl_internal.store_digests(v_digests);
end
$auditctl$;
comment on function auditctl_internal.write_site is
    'Brings the functions of the triggers of one table up to date with its columns and name, and stores that they are so; with p_are_new also those of triggers that do not exist yet';

create or replace function auditctl_internal.write_functions(p_capture auditctl.capture, p_sites regclass[], p_are_new boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation oid;
begin
    -- A partition has the functions of its root.
    for v_relation in
        select c.oid from pg_class as c where c.oid = any (p_sites::oid[]) and (c.oid = p_capture.relation or not c.relispartition) order by c.oid
    loop
        perform auditctl_internal.write_site(auditctl_internal.describe_site(v_relation, p_capture.relation), p_capture, p_are_new);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.write_functions is
    'Brings the functions of the triggers on a table and children of it up to date; with p_are_new also those of triggers that do not exist yet';

create or replace function auditctl_internal.is_as_generated(p_function oid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
begin
    -- For the guard. Without a trigger a function does nothing; without a capture nothing says what it should be.
    return not exists (select from pg_trigger as t where t.tgfoid = p_function) or coalesce((
        select bool_and(
            p.proname = expected.name and p.proowner = 'auditctl_owner'::regrole
            and not auditctl_internal.is_outdated(expected) and not exists (
                select
                from auditctl_internal.function_faults(array[expected.name], array[expected.comment], array[expected.grantee]) as f
                where f.fault in ('security', 'outdated')
            )
        )
        from pg_trigger as t
        join pg_class as c on c.oid = t.tgrelid
        join auditctl.capture as k on k.relation = t.tgrelid or t.tgrelid = any (k.members::oid[])
        join auditctl_internal.captured_action() as a on a.trigger = t.tgname and a.action = any (k.actions)
        join pg_proc as p on p.oid = t.tgfoid
        cross join lateral auditctl_internal.capture_function(
            auditctl_internal.describe_site(
                case when c.relispartition and c.oid <> k.relation then k.relation::oid else t.tgrelid end, k.relation
            ), k, a.action
        ) as expected
        where t.tgfoid = p_function and t.tgparentid = 0
    ), false);
end
$auditctl$;
comment on function auditctl_internal.is_as_generated is
    'Whether a function in auditctl_triggers is as the capture of each table that it serves requires, apart from its comment and privileges';

create or replace function auditctl_internal.child_functions(p_members regclass[]) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return array(
        select distinct p.proname::text
        from pg_class as c
        join pg_trigger as t on t.tgrelid = c.oid
        join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = to_regnamespace('auditctl_triggers')
        where c.oid = any (p_members::oid[]) and not c.relispartition
        order by 1
    );
end
$auditctl$;
comment on function auditctl_internal.child_functions is 'The functions of the triggers on members of an audited table; partitions have those of the table';

create or replace function auditctl_internal.function_changes(p_before text[], p_members regclass[]) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_names constant text[] := p_before || auditctl_internal.child_functions(p_members);
    v_written jsonb;
begin
    if v_names = '{}' then
        return '[]';
    end if;
    select jsonb_agg(distinct n.name order by n.name)
    into v_written
    from unnest(v_names) as n (name)
    left join pg_proc as p on p.proname = n.name and p.pronamespace = to_regnamespace('auditctl_triggers')
    -- Subtransactions have later numbers.
    where p.oid is null or age(p.xmin) <= 0;
    return case when v_written is null then '[]' else jsonb_build_array(jsonb_build_object('functions', v_written)) end;
end
$auditctl$;
comment on function auditctl_internal.function_changes is
    'Which functions of members this transaction wrote or dropped, given those before and the members now: an audited table''s event announces them';
