-- Every table that was ever audited with its label, and every other target that events name.
-- The targets of events are found by one probe of the index for each: a loose index scan, never a full one.
with recursive seen as (
    (
        select event.target
        from audit.event as event
        order by event.target
        limit 1
    )
    union all
    select (
        select event.target
        from audit.event as event
        where event.target > seen.target
        order by event.target
        limit 1
    )
    from seen
    where seen.target is not null
)

select
    target.target,
    target.label
from audit.target as target
union all
select
    seen.target,
    null
from seen
where seen.target is not null and not exists (select from audit.target as target where target.target = seen.target)
order by 1
