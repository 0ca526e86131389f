-- Statistics of the log.

create or replace function auditctl.statistics(
    p_partition regclass,
    p_since timestamptz default null,
    p_until timestamptz default null,
    p_targets text[] default null,
    p_actions text[] default null,
    p_recent timestamptz default null,
    p_percent double precision default 100,
    p_hours integer[] default null,
    p_offsets integer[] default '{0}',
    p_edges timestamptz[] default '{}'
)
returns table (
    target text, month text, action text, events bigint, weight bigint, oldest timestamptz, newest timestamptz,
    recent_events bigint, recent_weight bigint, other_events bigint, other_weight bigint
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- One scan of one partition, which a reader cannot query directly. Sizes are computed without reading values that are
-- stored out of line: the row header and the fixed-length columns take 56 bytes.
begin
    if not exists (
        select from pg_partition_tree('auditctl.event') as partition where partition.relid = p_partition and partition.isleaf
    ) then
        raise exception '% is not a partition of the log', p_partition using errcode = 'invalid_parameter_value';
    end if;
    return query execute format(
        $query$
        select
            event.target, coalesce(to_char(event.month, 'YYYY-MM'), event.month::text), event.action,
            count(*) filter (where event.is_selected),
            coalesce(sum(event.weight) filter (where event.is_selected), 0)::bigint,
            min(event.occurred_at) filter (where event.is_selected), max(event.occurred_at) filter (where event.is_selected),
            count(*) filter (where event.is_selected and event.occurred_at >= $5),
            coalesce(sum(event.weight) filter (where event.is_selected and event.occurred_at >= $5), 0)::bigint,
            count(*) filter (where not event.is_selected),
            coalesce(sum(event.weight) filter (where not event.is_selected), 0)::bigint
        from (
            select
                part.target, shown.action, part.occurred_at,
                date_trunc('month', shown.local) as month,
                ($1 is null or part.occurred_at >= $1) and ($2 is null or part.occurred_at < $2)
                and ($3 is null or part.target = any ($3)) and ($4 is null or shown.action = any ($4))
                and ($6 is null or ((extract(isodow from shown.finite) - 1) * 24 + extract(hour from shown.finite))::integer = any ($6))
                    as is_selected,
                56 + pg_column_size(part.target) + pg_column_size(part.db_user)
                + coalesce(pg_column_size(part.actor), 0) + coalesce(pg_column_size(part.ip), 0)
                + coalesce(pg_column_size(part.target_id), 0) + coalesce(pg_column_size(part.context), 0)
                + coalesce(pg_column_size(part.old_values), 0) + coalesce(pg_column_size(part.new_values), 0) as weight
            from only %s as part %s
            cross join lateral (
                select make_interval(secs => ($7)[width_bucket(part.occurred_at, $8) + 1]) as seconds
            ) as east
            cross join lateral (
                select
                    auditctl.shown_action(part.action, part.context) as action,
                    part.occurred_at at time zone 'UTC' + east.seconds as local,
                    greatest(least(part.occurred_at, '9998-01-01 00:00+00'), '0002-01-01 00:00+00') at time zone 'UTC' + east.seconds as finite
            ) as shown
        ) as event
        group by event.target, event.month, event.action
        $query$,
        p_partition,
        case when p_percent < 100 then format('tablesample system (%s) repeatable (0)', p_percent) else '' end
    ) using p_since, p_until, p_targets, p_actions, p_recent, p_hours, p_offsets, p_edges;
end
$auditctl$;
revoke execute on function auditctl.statistics from public;
grant execute on function auditctl.statistics to auditctl_reader;
comment on function auditctl.statistics is
    'Counts the events of one partition, or of a sample of its pages, by target, month and action; months and hours of the week, 0 for the first of Monday to 167, are those of a clock: p_offsets are its seconds east of UTC, the first before p_edges[1], each other from its edge on; weight is their size in the table in bytes; the other_ columns count the events that are not selected';
