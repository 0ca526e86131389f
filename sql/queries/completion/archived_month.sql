-- Months whose events are in an archive alone.
select a.month
from auditctl.archived_month as a
where a.dropped_at is not null and a.ended_at is null and starts_with(a.month, %(start)s)
order by a.month
limit %(limit)s
