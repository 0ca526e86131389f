-- Every target in the log, with one index probe for each: a loose index scan, never a full one; and those of the months that
-- are in files alone.
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
union
select pg_catalog.unnest(archived_month.targets)
from auditctl.archived_month as archived_month
where archived_month.dropped_at is not null and archived_month.ended_at is null
