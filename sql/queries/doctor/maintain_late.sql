-- Retention has been configured for more than 35 days, but upkeep was not completed in the last 35 days.
select
    'auditctl.maintenance' as object,
    coalesce('since ' || to_char(m.ran_at at time zone 'UTC', 'YYYY-MM-DD'), 'yet') as since
from auditctl.maintenance as m
where (m.ran_at is null or m.ran_at < now() - interval '35 days')
    and exists (
        select from auditctl.retention as r where r.keep is not null and r.until is null and r.since < now() - interval '35 days'
    )
