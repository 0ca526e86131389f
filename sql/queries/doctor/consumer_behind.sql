-- Consumers that have not read for a day, or whose login is gone, while events expire.
select
    'auditctl.consumer ' || c.name as object,
    c.name,
    c.owner,
    case
        when r.oid is null then 'that login does not exist any more'
        else 'it has not read since ' || to_char(c.read_at at time zone 'UTC', 'YYYY-MM-DD')
    end || case when is_lost.is_so then ', and events of that time have expired' else '' end as reason,
    case when is_lost.is_so then 'critical' else 'warning' end as severity
from auditctl.consumer as c
left join pg_roles as r on r.rolname = c.owner
cross join lateral (select coalesce(c.taken_at < auditctl.kept_since(''), false)) as is_lost (is_so)
where r.oid is null or c.read_at < now() - interval '1 day'
order by c.name collate "C"
