-- Every table that was ever audited with its label, every other target that events name, and auditctl's own, which may
-- not have an event yet.
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
),

other as (
    select seen.target
    from seen
    where seen.target is not null
    union
    values ('audit.capture'), ('audit.ddl'), ('audit.export'), ('audit.import'), ('audit.role'), ('audit.rule'), ('audit.store')
)

select
    target.target,
    target.label
from audit.target as target
union all
select
    other.target,
    null
from other
where not exists (select from audit.target as target where target.target = other.target)
order by 1
