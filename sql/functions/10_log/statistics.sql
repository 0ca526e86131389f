-- How much the log holds.

create or replace function auditctl.statistics(
    p_partition regclass,
    p_since timestamptz default null,
    p_until timestamptz default null,
    p_targets text[] default null,
    p_actions auditctl.action[] default null,
    p_recent timestamptz default null,
    p_percent double precision default 100
)
returns table (
    target text, month text, action auditctl.action, events bigint, weight bigint, oldest timestamptz, newest timestamptz,
    recent_events bigint, recent_weight bigint, other_events bigint, other_weight bigint
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- One pass over one partition, which a reader cannot name in a query of its own. Sizes are taken without reading what
-- lies out of line: a row's header and its columns of fixed length are 56 bytes.
begin
    if not exists (select from pg_partition_tree('auditctl.event') as t where t.relid = p_partition and t.isleaf) then
        raise exception '% is no partition of the log', p_partition using errcode = 'invalid_parameter_value';
    end if;
    return query execute format(
        $query$
        select
            e.target, coalesce(to_char(e.month, 'YYYY-MM'), e.month::text), e.action,
            count(*) filter (where e.chosen), coalesce(sum(e.weight) filter (where e.chosen), 0)::bigint,
            min(e.occurred_at) filter (where e.chosen), max(e.occurred_at) filter (where e.chosen),
            count(*) filter (where e.chosen and e.occurred_at >= $5),
            coalesce(sum(e.weight) filter (where e.chosen and e.occurred_at >= $5), 0)::bigint,
            count(*) filter (where not e.chosen), coalesce(sum(e.weight) filter (where not e.chosen), 0)::bigint
        from (
            select
                r.target, r.action, r.occurred_at, date_trunc('month', r.occurred_at at time zone 'UTC') as month,
                ($1 is null or r.occurred_at >= $1) and ($2 is null or r.occurred_at < $2)
                and ($3 is null or r.target = any ($3)) and ($4 is null or r.action = any ($4)) as chosen,
                56 + pg_column_size(r.target) + pg_column_size(r.db_user)
                + coalesce(pg_column_size(r.actor), 0) + coalesce(pg_column_size(r.ip), 0)
                + coalesce(pg_column_size(r.target_id), 0) + coalesce(pg_column_size(r.context), 0)
                + coalesce(pg_column_size(r.old_values), 0) + coalesce(pg_column_size(r.new_values), 0) as weight
            from only %s as r %s
        ) as e
        group by e.target, e.month, e.action
        $query$,
        p_partition,
        case when p_percent < 100 then format('tablesample system (%s) repeatable (0)', p_percent) else '' end
    ) using p_since, p_until, p_targets, p_actions, p_recent;
end
$auditctl$;

revoke execute on function auditctl.statistics(
    regclass, timestamptz, timestamptz, text[], auditctl.action[], timestamptz, double precision
) from public;
grant execute on function auditctl.statistics(
    regclass, timestamptz, timestamptz, text[], auditctl.action[], timestamptz, double precision
) to auditctl_reader;
comment on function auditctl.statistics(regclass, timestamptz, timestamptz, text[], auditctl.action[], timestamptz, double precision) is
    'Counts the events of one partition, or of a sample of its pages, by target, month and action; weight is their bytes in the table, other is what is not asked for';
