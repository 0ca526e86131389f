-- Months that the store or the log itself knows, and that are gone, lack events, or were gone and are there again.
with announced as (
    -- The last that upkeep said of each partition; a month that was deleted whole is no longer expected.
    select distinct on (named.partition)
        substr(replace(named.partition, '_', '-'), length('auditctl.event-') + 1) as month,
        e.new_values ->> 'step' in ('expire', 'archive') and e.new_values ->> 'kept' = '0' as is_ended
    from auditctl.event as e
    cross join lateral (
        select e.target_id
        union all
        select o.name
        from jsonb_object_keys(
            case when e.new_values ->> 'step' = 'move' and jsonb_typeof(e.new_values -> 'events') = 'object' then e.new_values -> 'events' end
        ) as o (name)
    ) as named (partition)
    where e.target = 'auditctl.partition' and e.action = 'EVENT' and e.new_values ->> 'step' in ('create', 'expire', 'archive', 'move')
        and named.partition ~ e'^auditctl\\.event_[0-9]{4}_(0[1-9]|1[0-2])$'
    order by named.partition, e.occurred_at desc, e.event_id desc
),

known as (
    select
        m.month, m.has_events, m.lost_at, m.accepted_at, m.missing, m.last_event_id,
        -- Of the newest 20 million events only, as counting takes time; upkeep counts all, month by month.
        case when sum(m.events) over (order by m.month desc) <= 20000000 then m.events end as events
    from auditctl.month as m
    where m.ended_at is null
    union all
    select a.month, false, null, null, 0, null, null
    from announced as a
    where not a.is_ended and not exists (select from auditctl.month as m where m.month = a.month)
),

present as (
    select k.*, c.oid as relation, c.relispartition as is_part, k.missing + coalesce(greatest(k.events - found.events, 0), 0) as lacking
    from known as k
    left join pg_class as c on c.oid = to_regclass('auditctl.event_' || replace(k.month, '-', '_'))
    left join lateral (
        select count(*) as events
        from auditctl.event as e
        where e.occurred_at >= to_date(k.month, 'YYYY-MM')::timestamp at time zone 'UTC'
            and e.occurred_at < (to_date(k.month, 'YYYY-MM') + interval '1 month') at time zone 'UTC'
            and (e.event_id <= k.last_event_id or k.last_event_id is null)
    ) as found on k.events > 0
    -- A month to come had no events.
    where to_date(k.month, 'YYYY-MM') <= now()
)

select
    'auditctl.event_' || replace(k.month, '-', '_') as object,
    k.month,
    quote_literal(k.month) as literal,
    case
        when k.lost_at is not null then format('was gone until %s, when maintain created it again', to_char(k.lost_at, 'YYYY-MM-DD HH24:MI'))
        when k.relation is null then 'is gone'
        when k.is_empty then 'had events and is empty'
        else format('lacks %s of the events that maintain counted in it', k.lacking)
    end as state
from (
    select
        p.*,
        -- A detached one is a finding of its own.
        p.has_events and p.is_part and not exists (
            select
            from auditctl.event as e
            where e.occurred_at >= to_date(p.month, 'YYYY-MM')::timestamp at time zone 'UTC'
                and e.occurred_at < (to_date(p.month, 'YYYY-MM') + interval '1 month') at time zone 'UTC'
        ) as is_empty
    from present as p
) as k
where k.accepted_at is null and (k.lost_at is not null or k.relation is null or k.is_empty) or k.lacking > 0 and k.is_part
order by 1
