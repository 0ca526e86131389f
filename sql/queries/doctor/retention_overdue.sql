-- Months with expired events, if upkeep was not completed in the last two days.
select
    d.partition::text as object,
    d.partition::text as partition
from auditctl.maintenance as m
cross join auditctl.overdue_months() as d (partition)
where m.ran_at is null or m.ran_at < now() - interval '2 days'
order by 1
