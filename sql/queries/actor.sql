-- Actors that begin with a prefix in any case, from a start value in the index: one probe for each, and few for others.
-- A collation may sort other actors between them, so the scan ends after four others in a row, not after the first.
with recursive candidate as (
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
        candidate.probes + 1,
        case when pg_catalog.lower(candidate.actor) ^@ pg_catalog.lower(%(prefix)s::text) then 0 else candidate.others + 1 end
    from candidate
    cross join lateral (
        select event.actor
        from auditctl.event as event
        where event.actor > candidate.actor
        order by event.actor
        limit 1
    ) as following
    where candidate.probes < %(probes)s::integer and candidate.others < 4
)

select candidate.actor
from candidate
where pg_catalog.lower(candidate.actor) ^@ pg_catalog.lower(%(prefix)s::text)
order by candidate.actor
limit %(limit)s::integer
