-- What the coverage guard follows: columns, names, new partitions and children of audited tables.

create or replace function auditctl_internal.write_function(
    p_relation regclass, p_capture auditctl.capture, p_action auditctl.action
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_wanted constant auditctl.capture_function := auditctl.capture_function(
        p_relation, p_capture.relation, p_capture.target, p_action,
        p_capture.exclude, p_capture.mask, p_capture.key, p_capture.require_actor
    );
    v_found record;
    v_grantee text;
begin
    select
        p.proname, p.prosrc, p.proconfig, obj_description(p.oid, 'pg_proc') as comment,
        array(
            select pg_get_userbyid(a.grantee)::text
            from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
            where a.grantee <> p.proowner and a.grantee <> 0
        ) as grantees
    into v_found
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'auditctl_triggers'::regnamespace
    where t.tgrelid = p_relation and t.tgname = 'auditctl_' || lower(p_action::text);

    if v_found.proname is distinct from v_wanted.name then
        if exists (
            select
            from pg_proc as p
            join pg_trigger as t on t.tgfoid = p.oid
            where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = v_wanted.name
        ) then
            raise exception 'refused: auditctl_triggers.% belongs to another table', v_wanted.name
                using errcode = 'UA003', hint = 'Run auditctl apply, which sorts the functions out, then try again.';
        end if;
        if v_found.proname is not null then
            -- That of a table that was dropped stays behind until apply.
            if exists (
                select from pg_proc as p where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = v_wanted.name and p.pronargs = 0
            ) then
                execute format('drop routine auditctl_triggers.%I()', v_wanted.name);
            end if;
            execute format('alter function auditctl_triggers.%I() rename to %I', v_found.proname, v_wanted.name);
        end if;
    end if;
    if (v_found.prosrc, v_found.comment) is distinct from (v_wanted.source, v_wanted.comment)
        or not (v_found.proconfig @> v_wanted.settings and v_found.proconfig <@ v_wanted.settings)
    then
        execute v_wanted.statement;
        execute format('revoke execute on function auditctl_triggers.%I() from public', v_wanted.name);
        execute format('comment on function auditctl_triggers.%I() is %L', v_wanted.name, v_wanted.comment);
    end if;
    if v_found.grantees <> array_remove(array[v_wanted.grantee], null) then
        foreach v_grantee in array v_found.grantees loop
            execute format('revoke execute on function auditctl_triggers.%I() from %I', v_wanted.name, v_grantee);
        end loop;
        if v_wanted.grantee is not null then
            execute format('grant execute on function auditctl_triggers.%I() to %I', v_wanted.name, v_wanted.grantee);
        end if;
    end if;
end
$auditctl$;

comment on function auditctl_internal.write_function(regclass, auditctl.capture, auditctl.action) is
    'Makes the function of one trigger what the table''s columns and name ask for now';
