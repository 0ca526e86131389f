-- How upkeep takes events out of a month, and what it records of that, whether they have expired or were archived.

create or replace function auditctl_internal.count_events(p_month timestamp, p_condition text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_counts jsonb;
begin
    execute format(
        'select jsonb_build_object('
        '''before'', coalesce(jsonb_object_agg(a.action, a.events), ''{}''), '
        '''after'', coalesce(jsonb_object_agg(a.action, a.events - a.expired) filter (where a.events > a.expired), ''{}''), '
        '''dropped'', coalesce(sum(a.expired), 0), ''kept'', coalesce(sum(a.events - a.expired), 0), '
        '''first_event_id'', min(a.first), ''last_event_id'', max(a.last), ''bytes'', pg_total_relation_size(%L)) '
        'from (select e.action, count(*) as events, count(*) filter (where %2$s) as expired, '
        'min(e.event_id) filter (where %2$s) as first, max(e.event_id) filter (where %2$s) as last '
        'from only auditctl.%3$I as e group by e.action) as a',
        'auditctl.' || auditctl_internal.month_table(p_month), coalesce(p_condition, 'false'), auditctl_internal.month_table(p_month)
    ) into v_counts;
    return v_counts;
end
$auditctl$;
comment on function auditctl_internal.count_events is
    'The number of events of a month by action, before and after its expired events are deleted, the range of event_id of those, and the size in bytes';

create or replace function auditctl_internal.close_month(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $auditctl$
begin
    -- Sealing must not read events that are deleted meanwhile.
    perform auditctl_internal.lock_sealing();
    -- The month has expired, so nobody writes to it any more, and earlier writes are committed once the lock is granted.
    execute format('lock table only %s in share mode', p_relation);
exception when lock_not_available then
    perform auditctl_internal.give_up(p_relation::text, (auditctl_internal.lock_holders(array[p_relation::oid, 'auditctl.incarnation'::regclass::oid]))[1]);
end
$auditctl$;
comment on function auditctl_internal.close_month is 'Blocks writers of an expired month and sealing until the transaction ends, but not readers';

create or replace function auditctl_internal.replace_month(p_month timestamp, p_condition text, p_has_survivors boolean, p_state text)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_partition constant regclass := format('auditctl.%I', auditctl_internal.month_table(p_month))::regclass;
    v_name constant text := auditctl_internal.month_table(p_month);
    v_replacement regclass;
begin
    if p_has_survivors then
        v_replacement := auditctl_internal.make_month('event_kept', p_month, null, v_partition);
        execute format(
            'insert into %s select e.* from only %s as e where (%s) is not true', v_replacement, v_partition, coalesce(p_condition, 'false')
        );
        execute format('analyze %s', v_replacement);
    end if;
    perform auditctl_internal.lock_log(array[v_partition, 'auditctl.event_default']);
    perform auditctl_internal.require_retention_state(p_state);
    execute format('drop table %s', v_partition);
    if v_replacement is not null then
        execute format('alter table %s rename to %I', v_replacement, v_name);
        perform auditctl_internal.attach_month(v_replacement, p_month, 'auditctl.event');
    else
        perform auditctl_internal.end_month(p_month);
    end if;
end
$auditctl$;
comment on function auditctl_internal.replace_month is
    'Drops a month, or replaces it by a table with the events that must stay; raises lock_not_available while the log is in use';

create or replace function auditctl_internal.begin_deletion(
    p_month timestamp, p_condition text, p_data jsonb, p_event_id bigint
) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_data jsonb := p_data || auditctl_internal.count_events(p_month, p_condition);
begin
    if (v_data ->> 'dropped')::bigint > 0 then
        v_data := v_data || coalesce(
            jsonb_build_object('sealed', auditctl_internal.prune_leaves(p_month, p_condition, v_data, p_event_id)), '{}'
        );
    end if;
    return v_data;
end
$auditctl$;
comment on function auditctl_internal.begin_deletion is
    'Counts those events of a closed month that satisfy a condition, and prunes their leaves, before they are deleted; returns the values of the event that announces it';

create or replace function auditctl_internal.end_deletion(p_month timestamp, p_data jsonb, p_summary text, p_event_id bigint) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if (p_data ->> 'dropped')::bigint > 0 then
        perform auditctl_internal.recount_transactions(p_month);
    end if;
    perform auditctl_internal.note_count(
        p_data ->> 'month', (p_data ->> 'dropped')::bigint + (p_data ->> 'kept')::bigint, (p_data ->> 'kept')::bigint
    );
    return auditctl_internal.record_upkeep(p_data ->> 'partition', p_summary, p_data, p_event_id);
end
$auditctl$;
comment on function auditctl_internal.end_deletion is
    'Counts what is left of a month after events of it were deleted, and records that; returns the values of the event that announces it';
