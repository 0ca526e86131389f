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

create or replace function auditctl_internal.write_function(
    p_relation regclass, p_capture auditctl.capture, p_action auditctl.action, p_columns auditctl.captured_column[] default null,
    p_inputs text default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set check_function_bodies = off
as $auditctl$
declare
    v_expected constant auditctl.capture_function := auditctl_internal.capture_function(p_relation, p_capture, p_action, p_columns);
    v_is_ours boolean;
    v_faults text[];
    v_actual text;
    v_statement text;
begin
    select p.proname, p.proowner = 'auditctl_owner'::regrole into v_actual, v_is_ours
    from auditctl_internal.captured_action() as a
    join pg_trigger as t on t.tgrelid = p_relation and t.tgname = a.trigger
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'auditctl_triggers'::regnamespace
    where a.action = p_action
        -- One that was a partition still calls the function of the table that it was a part of, which stays that table's.
        and (p.proname = v_expected.name or not exists (
            select from pg_trigger as other
            where other.tgfoid = t.tgfoid and other.tgrelid <> all (p_capture.relation::oid || p_capture.members::oid[])
        ));
    if v_actual is distinct from v_expected.name then
        perform auditctl_internal.rename_function(v_actual, v_expected.name);
    end if;
    -- One of another owner waits for apply, which may take it back; the careful way records rows until then.
    if v_is_ours is false then
        return;
    end if;
    v_faults := array(
        select f.fault
        from auditctl_internal.function_faults(array[v_expected.name], array[v_expected.comment], array[v_expected.grantee]) as f
    ) || case when auditctl_internal.is_outdated(v_expected) then '{outdated}'::text[] else '{}' end;
    -- Owner, privileges and comment stay as they are.
    if v_faults = '{outdated}' then
        execute v_expected.statement;
    elsif v_faults <> '{}' then
        for v_statement in select s.sql from auditctl_internal.function_statements(v_expected) as s order by s.step loop
            execute v_statement;
        end loop;
    end if;
    if p_inputs is not null then
        perform auditctl_internal.store_digests(jsonb_build_object(
            v_expected.name, auditctl_internal.function_digest(p_inputs, p_action, v_expected.source, v_expected.settings)
        ));
    end if;
end
$auditctl$;
comment on function auditctl_internal.write_function is
    'Brings the function of one trigger up to date with the table''s columns and name; given its inputs, also stores that it is so';

create or replace function auditctl_internal.write_functions(p_capture auditctl.capture, p_sites regclass[], p_are_new boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation regclass;
    v_action auditctl.action;
    v_columns auditctl.captured_column[];
    v_inputs text;
begin
    -- A partition has the functions of its root.
    for v_relation in
        select c.oid from pg_class as c where c.oid = any (p_sites::oid[]) and (c.oid = p_capture.relation or not c.relispartition) order by c.oid
    loop
        v_columns := array(select c from auditctl_internal.captured_columns(v_relation) as c);
        v_inputs := (select i.inputs from auditctl_internal.function_inputs(array[p_capture]) as i where i.relation = v_relation);
        for v_action in
            select a.action
            from auditctl_internal.captured_action() as a
            where a.action = any (p_capture.actions) and (
                -- PostgreSQL has no truncate triggers on foreign tables.
                p_are_new and (a.per_row or (select c.relkind <> 'f' from pg_class as c where c.oid = v_relation))
                or exists (select from pg_trigger as t where t.tgrelid = v_relation and t.tgname = a.trigger)
            )
        loop
            perform auditctl_internal.write_function(v_relation, p_capture, v_action, v_columns, v_inputs);
        end loop;
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
            case when c.relispartition and c.oid <> k.relation then k.relation else t.tgrelid end, k, a.action
        ) as expected
        where t.tgfoid = p_function and t.tgparentid = 0
    ), false);
end
$auditctl$;
comment on function auditctl_internal.is_as_generated is
    'Whether a function in auditctl_triggers is as the capture of each table that it serves requires, apart from its comment and privileges';
