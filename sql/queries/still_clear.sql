-- The columns that a plan hides from now on, and how many earlier events hold each in the clear: of at most a million events of
-- each target, and at most as many as asked for.
with planned as (
    select *
    from pg_catalog.jsonb_to_recordset(%(tables)s) as t (relation bigint, target text, hidden text [])
),

hidden as (
    select planned.target, h.name, h.place
    from planned
    left join auditctl.capture as k on k.relation::oid = planned.relation::oid
    cross join lateral pg_catalog.unnest(planned.hidden) with ordinality as h (name, place)
    where k.relation is null or h.name <> all (k.exclude || k.mask)
)

select hidden.target, hidden.name, counted.events
from hidden
cross join lateral (
    select pg_catalog.count(*) as events
    from (
        select
        from (
            select e.old_values, e.new_values
            from auditctl.event as e
            where e.target in (select auditctl.kindred_targets(hidden.target)) and e.action in ('CREATE', 'UPDATE', 'DELETE')
            limit 1000000
        ) as examined
        where examined.old_values -> hidden.name not in ('{"$masked": true}', '{"$erased": true}')
            or examined.new_values -> hidden.name not in ('{"$masked": true}', '{"$erased": true}')
        limit %(most)s
    ) as clear
) as counted
where counted.events > 0
order by hidden.target collate "C", hidden.place
