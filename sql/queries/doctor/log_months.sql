-- Months from this one to three ahead that have no partition.
select
    'auditctl.event_' || to_char(month.first, 'YYYY_MM') as object,
    to_char(month.first, 'YYYY-MM') as month
from (
    select date_trunc('month', now() at time zone 'UTC') + ahead * interval '1 month' as first
    from generate_series(0, 3) as ahead
) as month
where to_regclass('auditctl.event_' || to_char(month.first, 'YYYY_MM')) is null
order by 1
