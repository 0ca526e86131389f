-- Events since a time that hold in the clear what a rule hid when they were written: for each target how many, from when to
-- when, and which columns.
with span as materialized (
    select *
    from pg_catalog.jsonb_to_recordset(%(spans)s) as s (
        target text, since timestamptz, until timestamptz, exclude text [], mask text [], hidden_key text []
    )
),

-- Nearly every event is out after these conditions, which are cheap.
suspect as materialized (
    select e.occurred_at, e.event_id, e.target, e.old_values, e.new_values, s.exclude, s.mask, s.hidden_key, key.is_clear
    from auditctl.event as e
    join span as s on s.target = e.target and e.occurred_at > s.since and e.occurred_at < s.until
    cross join lateral (
        -- Each hidden column has a hash in the key, or null where it is null; a long key is shortened.
        select s.hidden_key <> '{}' and exists (
            select
            from pg_catalog.unnest(array[e.target_id, e.context ->> 'previous_target_id']) as k (key)
            where pg_catalog.octet_length(k.key) < 900 and (
                    select pg_catalog.count(*) from pg_catalog.regexp_matches(k.key, '(^|")hidden:[0-9a-f]{32}($|")|null', 'g')
                ) < pg_catalog.cardinality(s.hidden_key)
        ) as is_clear
    ) as key
    where e.occurred_at >= %(since)s and e.action in ('CREATE', 'UPDATE', 'DELETE')
        and (
            (e.old_values ?| s.exclude or e.new_values ?| s.exclude) and exists (
                select from pg_catalog.unnest(s.exclude) as c (name)
                where e.old_values -> c.name <> '{"$erased": true}' or e.new_values -> c.name <> '{"$erased": true}'
            )
            or key.is_clear
            or exists (
                select from pg_catalog.unnest(s.mask) as c (name)
                where e.old_values -> c.name not in ('{"$masked": true}', '{"$erased": true}')
                    or e.new_values -> c.name not in ('{"$masked": true}', '{"$erased": true}')
            )
        )
)

select
    e.target,
    pg_catalog.count(distinct (e.occurred_at, e.event_id)) as events,
    pg_catalog.min(e.occurred_at) as since,
    pg_catalog.max(e.occurred_at) as until,
    pg_catalog.array_agg(distinct shown.name order by shown.name) as columns
from suspect as e
cross join lateral (
    select c.name
    from pg_catalog.unnest(e.exclude) as c (name)
    where e.old_values -> c.name <> '{"$erased": true}' or e.new_values -> c.name <> '{"$erased": true}'
    union all
    select c.name
    from pg_catalog.unnest(e.mask) as c (name)
    where e.old_values -> c.name not in ('{"$masked": true}', '{"$erased": true}')
        or e.new_values -> c.name not in ('{"$masked": true}', '{"$erased": true}')
    union all
    select c.name from pg_catalog.unnest(e.hidden_key) as c (name) where e.is_clear
) as shown
group by e.target
order by e.target collate "C"
