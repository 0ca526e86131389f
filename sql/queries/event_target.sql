-- Every target that events name, by one probe of the index for each: a loose index scan, never a full one.
with recursive seen as (
    (
        select event.target
        from auditctl.event as event
        order by event.target
        limit 1
    )
    union all
    select (
        select event.target
        from auditctl.event as event
        where event.target > seen.target
        order by event.target
        limit 1
    )
    from seen
    where seen.target is not null
)

select seen.target
from seen
where seen.target is not null
