-- What the coverage guard refuses: DDL after which capture would no longer be complete.

create function audit.trigger_fault(p_relation oid, p_root oid, p_action audit.action) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            when t.oid is null then format('trigger auditctl_%s is gone', lower(p_action::text))
            when t.tgenabled = 'D' then format('trigger %s is disabled', t.tgname)
            when t.tgenabled <> 'A' then format('trigger %s no longer fires ALWAYS', t.tgname)
            when n.nspname <> 'audit_triggers'
                or p.proname <> audit.function_name(fn.nspname, fc.relname, p_action)
                then format('trigger %s calls another function', t.tgname)
            when t.tgtype <> case p_action when 'CREATE' then 5 when 'UPDATE' then 17 when 'DELETE' then 9 when 'TRUNCATE' then 32 end
                or t.tgqual is not null or t.tgnargs > 0 or t.tgconstraint <> 0 or t.tgattr <> ''::int2vector
                or t.tgoldtable is not null or t.tgnewtable is not null
                then format('trigger %s is defined differently', t.tgname)
        end
    -- A partition's triggers call the functions of the whole.
    from pg_class as fc
    join pg_namespace as fn on fn.oid = fc.relnamespace
    left join pg_trigger as t on t.tgrelid = p_relation and t.tgname = 'auditctl_' || lower(p_action::text)
    left join pg_proc as p on p.oid = t.tgfoid
    left join pg_namespace as n on n.oid = p.pronamespace
    where fc.oid = case when p_relation = p_root or audit.has_own_function(p_relation) then p_relation else p_root end
$auditctl$;

revoke execute on function audit.trigger_fault(oid, oid, audit.action) from public;
comment on function audit.trigger_fault(oid, oid, audit.action) is 'What keeps a capture trigger from recording everything, as a phrase; null where nothing does';

create function audit.needs_trigger(p_relation oid, p_action audit.action) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL has no truncate triggers on foreign tables.
    select c.relkind <> 'f' or p_action <> 'TRUNCATE' from pg_class as c where c.oid = p_relation
$auditctl$;

revoke execute on function audit.needs_trigger(oid, audit.action) from public;
comment on function audit.needs_trigger(oid, audit.action) is 'Whether a table or member must have the trigger of an action';

create function audit.require_triggers(p_capture audit.capture, p_members regclass[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_site record;
begin
    for v_site in
        select site.relation, audit.trigger_fault(site.relation, p_capture.relation, action) as fault
        from unnest(p_capture.relation::oid || p_members::oid[]) as site (relation)
        cross join unnest(p_capture.actions) as action
        where audit.needs_trigger(site.relation, action)
    loop
        if v_site.fault is not null then
            raise exception 'refused: % is audited, and % afterwards', audit.registered_name(v_site.relation), v_site.fault
                using errcode = 'UA003',
                    hint = format('To stop auditing it, run: auditctl disable %L. To mend it: auditctl apply', p_capture.target);
        end if;
    end loop;
end
$auditctl$;

revoke execute on function audit.require_triggers(audit.capture, regclass[]) from public;
comment on function audit.require_triggers(audit.capture, regclass[]) is 'Raises UA003 unless every trigger of an audited table is in place';

create function audit.require_no_new_rule(p_capture audit.capture, p_rules text[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule text;
begin
    foreach v_rule in array p_rules loop
        if v_rule <> all (p_capture.rules) then
            raise exception 'refused: % is audited, and rule % would keep writes from its triggers', p_capture.target, v_rule
                using errcode = 'UA003',
                    hint = format('Use a trigger instead of the rule, or stop auditing first: auditctl disable %L', p_capture.target);
        end if;
    end loop;
end
$auditctl$;

revoke execute on function audit.require_no_new_rule(audit.capture, text[]) from public;
comment on function audit.require_no_new_rule(audit.capture, text[]) is 'Raises UA003 on an INSTEAD rule that was not there when capture was installed';
