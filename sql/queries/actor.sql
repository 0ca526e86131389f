-- Actors that begin with a prefix in any case, from a start value in the index on: one probe for each, and few for others.
-- A collation may sort others between them, so a scan ends after the fourth in a row rather than the first.
with recursive seen as (
    (
        select
            event.actor,
            1 as probes,
            0 as others
        from auditctl.event as event
        where event.actor >= %(start)s::text
        order by event.actor
        limit 1
    )
    union all
    select
        following.actor,
        seen.probes + 1,
        case when pg_catalog.lower(seen.actor) ^@ pg_catalog.lower(%(prefix)s::text) then 0 else seen.others + 1 end
    from seen
    cross join lateral (
        select event.actor
        from auditctl.event as event
        where event.actor > seen.actor
        order by event.actor
        limit 1
    ) as following
    where seen.probes < %(probes)s::integer and seen.others < 4
)

select seen.actor
from seen
where pg_catalog.lower(seen.actor) ^@ pg_catalog.lower(%(prefix)s::text)
order by seen.actor
limit %(limit)s::integer
