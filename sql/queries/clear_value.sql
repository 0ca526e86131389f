-- Events that hold in the clear what a rule hid when they were written: for each target how many, from when to when, and
-- which columns. Only the newest events are examined; a row without a target says how far back.
with span as materialized (
    select *
    from pg_catalog.jsonb_to_recordset(%(spans)s) as s (
        target text, since timestamptz, until timestamptz, exclude text [], mask text [], hidden_key text []
    )
),

recent as materialized (
    select e.occurred_at, e.target, e.target_id, e.action, e.old_values, e.new_values, e.context -> 'previous_target_id' as previous_key
    from auditctl.event as e
    where e.occurred_at > (select pg_catalog.min(s.since) from span as s)
    order by e.occurred_at desc
    limit %(limit)s
),

clear as (
    select e.target, e.occurred_at, shown.columns
    from recent as e
    join span as s on s.target = e.target and e.occurred_at > s.since and e.occurred_at < s.until
    cross join lateral (
        select array(
            select c.name from pg_catalog.unnest(s.exclude) as c (name) where e.old_values ? c.name or e.new_values ? c.name
            union
            select c.name
            from pg_catalog.unnest(s.mask) as c (name)
            where e.old_values -> c.name <> '{"$masked": true}' or e.new_values -> c.name <> '{"$masked": true}'
            union
            -- Each hidden column has a hash in the key, or null where it is null; a long key is shortened.
            select c.name
            from pg_catalog.unnest(s.hidden_key) as c (name)
            cross join pg_catalog.unnest(array[e.target_id, e.previous_key #>> '{}']) as k (key)
            where k.key is not null and pg_catalog.octet_length(k.key) < 900 and (
                    select pg_catalog.count(*) from pg_catalog.regexp_matches(k.key, '(^|")hidden:[0-9a-f]{32}($|")|null', 'g')
                ) < pg_catalog.cardinality(s.hidden_key)
        ) as columns
    ) as shown
    where e.action in ('CREATE', 'UPDATE', 'DELETE') and shown.columns <> '{}'
)

select
    clear.target,
    pg_catalog.count(distinct clear.occurred_at) as events,
    pg_catalog.min(clear.occurred_at) as since,
    pg_catalog.max(clear.occurred_at) as until,
    pg_catalog.array_agg(distinct c.name order by c.name) as columns
from clear
cross join lateral pg_catalog.unnest(clear.columns) as c (name)
group by clear.target
union all
select null, pg_catalog.count(*), pg_catalog.min(recent.occurred_at), null, null
from recent
having pg_catalog.count(*) = %(limit)s
order by 1 nulls last
