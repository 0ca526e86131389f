-- Months that [archive] in the file has archived, and that still are not 35 days after they could be. What stays hot and
-- months that somebody brought back stay in the database.
select
    'auditctl.archiving' as object,
    coalesce(' to ' || s.location, '') as where,
    case count(*) when 1 then 'events of ' || min(month.name)
        else format('%s months from %s to %s', count(*), min(month.name), max(month.name)) end as months
from auditctl.archiving as s
cross join pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
cross join lateral (
    select
        replace(substr(c.relname, length('event_') + 1), '_', '-') as name,
        to_date(substr(c.relname, length('event_') + 1), 'YYYY_MM')::timestamp at time zone 'UTC' as first,
        (to_date(substr(c.relname, length('event_') + 1), 'YYYY_MM') + interval '1 month') at time zone 'UTC' as next
) as month
left join lateral (
    select
        a.archive_id,
        a.ended_at,
        a.restored_at
    from auditctl.archived_month as a
    where a.month = month.name
    order by a.archive_id desc
    limit 1
) as last on true
where i.inhparent = 'auditctl.event'::regclass and c.relname ~ '^event_[0-9]{4}_(0[1-9]|1[0-2])$'
    and s.set_at < now() - interval '2 days'
    and month.next <= (now() at time zone 'UTC' - coalesce(s.keep_hot, '0 days')::interval) at time zone 'UTC' - interval '35 days'
    and last.restored_at is null and (last.archive_id is null or last.ended_at is not null)
    and exists (
        select from auditctl.event as e where e.occurred_at >= month.first and e.occurred_at < month.next and not auditctl.stays_hot(e.target)
    )
group by s.location
