-- What the coverage guard refuses: DDL after which capture would no longer be complete.

create or replace function auditctl_internal.trigger_faults(p_capture auditctl.capture, p_members regclass[])
returns table (relation regclass, fault text)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with site as (
        -- A partition's triggers call the functions of the whole.
        select c.oid, n.nspname, c.relname, c.relkind, c.relispartition and c.oid <> p_capture.relation as is_part
        from unnest(p_capture.relation::oid || p_members::oid[]) as m (oid)
        join pg_class as c on c.oid = m.oid
        join pg_namespace as n on n.oid = c.relnamespace
    ),

    wanted as (
        select s.oid, action, 'auditctl_' || lower(action::text) as trigger, f.name as function
        from site as whole
        cross join unnest(p_capture.actions) as action
        cross join lateral (select auditctl_internal.function_name(whole.nspname, whole.relname, action) as name) as f
        join site as s on s.is_part or s.oid = whole.oid
        where whole.oid = p_capture.relation and action <> 'READ' and (s.relkind <> 'f' or action <> 'TRUNCATE')
        union all
        select s.oid, action, 'auditctl_' || lower(action::text), auditctl_internal.function_name(s.nspname, s.relname, action)
        from site as s
        cross join unnest(p_capture.actions) as action
        where not s.is_part and s.oid <> p_capture.relation and action <> 'READ' and (s.relkind <> 'f' or action <> 'TRUNCATE')
    )

    select w.oid::regclass, fault.fault
    from wanted as w
    left join pg_trigger as t on t.tgrelid = w.oid and t.tgname = w.trigger
    left join pg_proc as p on p.oid = t.tgfoid
    left join pg_namespace as n on n.oid = p.pronamespace
    cross join lateral (
        select
            case
                when t.oid is null then format('trigger %s is gone', w.trigger)
                when t.tgenabled = 'D' then format('trigger %s is disabled', w.trigger)
                when t.tgenabled <> 'A' then format('trigger %s no longer fires ALWAYS', w.trigger)
                when n.nspname <> 'auditctl_triggers' or p.proname <> w.function then format('trigger %s calls another function', w.trigger)
                when t.tgtype <> case w.action when 'CREATE' then 5 when 'UPDATE' then 17 when 'DELETE' then 9 when 'TRUNCATE' then 32 end
                    or t.tgqual is not null or t.tgnargs > 0 or t.tgconstraint <> 0 or t.tgattr <> ''::int2vector
                    or t.tgoldtable is not null or t.tgnewtable is not null
                    then format('trigger %s is defined differently', w.trigger)
            end as fault
    ) as fault
    where fault.fault is not null
$auditctl$;

comment on function auditctl_internal.trigger_faults(auditctl.capture, regclass[]) is
    'What keeps capture on a table and its members from recording everything: a phrase for each trigger that is not in place';

create or replace function auditctl_internal.needs_trigger(p_relation oid, p_action auditctl.action) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL has no truncate triggers on foreign tables, and none for reads.
    select p_action <> 'READ' and (c.relkind <> 'f' or p_action <> 'TRUNCATE') from pg_class as c where c.oid = p_relation
$auditctl$;

comment on function auditctl_internal.needs_trigger(oid, auditctl.action) is 'Whether a table or member must have the trigger of an action';
