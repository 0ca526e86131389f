-- Every target in the log, with one index probe for each: a loose index scan, never a full one.
with recursive probe as (
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
        where event.target > probe.target
        order by event.target
        limit 1
    )
    from probe
    where probe.target is not null
)

select probe.target
from probe
where probe.target is not null
