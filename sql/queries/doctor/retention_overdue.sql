-- Months with events whose time is over, where upkeep did not come to its end within two days.
select
    d.partition::text as object,
    d.partition::text as partition
from auditctl.maintenance as m
cross join auditctl.overdue_months() as d (partition)
where m.ran_at is null or m.ran_at < now() - interval '2 days'
order by 1
