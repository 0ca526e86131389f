-- The months of the log that are over, oldest first, with what was archived of each. Events that stay hot do not count.
select
    month.name,
    exists (
        select
        from auditctl.event as e
        where e.occurred_at >= month.first and e.occurred_at < month.next and not auditctl.stays_hot(e.target)
    ) as has_events,
    a.location,
    a.manifest,
    a.rows,
    a.fingerprint,
    a.dropped_at is not null as is_dropped,
    coalesce(
        (select l.restored_at is not null from auditctl.archived_month as l where l.month = month.name order by l.archive_id desc limit 1), false
    ) as is_restored
from pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
cross join lateral (
    select
        replace(substr(c.relname, length('event_') + 1), '_', '-') as name,
        to_date(substr(c.relname, length('event_') + 1), 'YYYY_MM')::timestamp at time zone 'UTC' as first,
        (to_date(substr(c.relname, length('event_') + 1), 'YYYY_MM') + interval '1 month') at time zone 'UTC' as next
) as month
left join auditctl.archived_month as a on a.month = month.name and a.ended_at is null
where i.inhparent = 'auditctl.event'::regclass and c.relname ~ '^event_[0-9]{4}_(0[1-9]|1[0-2])$'
    and month.next <= now()
    and (%(before)s::date is null or month.next <= %(before)s::date::timestamp at time zone 'UTC')
    and (%(keep)s::interval is null or month.next <= (now() at time zone 'UTC' - %(keep)s::interval) at time zone 'UTC')
order by 1
