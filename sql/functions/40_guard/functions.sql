-- What the coverage guard keeps up to date: the functions of triggers.

create or replace function auditctl_internal.rename_function(p_old text, p_new text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_present constant oid := to_regprocedure(format('auditctl_triggers.%I()', p_new));
begin
    if exists (select from pg_trigger as t where t.tgfoid = v_present) then
        raise exception 'refused: auditctl_triggers.% belongs to another table', p_new
            using errcode = 'UA003', hint = 'Run auditctl apply, which sorts the functions out, then try again.';
    end if;
    if p_old is not null then
        -- That of a table that was dropped stays behind until apply.
        if v_present is not null then
            execute format('drop routine auditctl_triggers.%I()', p_new);
        end if;
        execute format('alter function auditctl_triggers.%I() rename to %I', p_old, p_new);
    end if;
end
$auditctl$;
comment on function auditctl_internal.rename_function is
    'Gives a capture function the name that its table asks for now, or (no old name) makes sure that no other table has the name; raises UA003 where one has';

create or replace function auditctl_internal.write_function(
    p_relation regclass, p_capture auditctl.capture, p_action auditctl.action
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_wanted constant auditctl.capture_function := auditctl_internal.capture_function(p_relation, p_capture, p_action);
    v_found text;
    v_statement text;
begin
    select p.proname
    into v_found
    from auditctl_internal.captured_action() as a
    join pg_trigger as t on t.tgrelid = p_relation and t.tgname = a.trigger
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'auditctl_triggers'::regnamespace
    where a.action = p_action;
    if v_found is distinct from v_wanted.name then
        perform auditctl_internal.rename_function(v_found, v_wanted.name);
    end if;
    if exists (select from auditctl_internal.function_faults(v_wanted)) then
        for v_statement in select s.sql from auditctl_internal.function_statements(v_wanted) as s order by s.step loop
            execute v_statement;
        end loop;
    end if;
end
$auditctl$;
comment on function auditctl_internal.write_function is 'Makes the function of one trigger what the table''s columns and name ask for now';
