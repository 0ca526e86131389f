-- Archived months, each with what the log recorded of its files; which of them are broken is found out by reading these.
select
    'month ' || a.month as object,
    a.month,
    a.location,
    a.database,
    a.manifest,
    s.location as elsewhere,
    case when a.dropped_at is null then 'warning' else 'critical' end as severity
from auditctl.archived_month as a
left join auditctl.archiving as s on true
where a.ended_at is null
order by a.month
