-- The months of events in the DEFAULT partition: they cannot have a partition of their own, and retention never deletes them.
select
    'auditctl.event_default' as object,
    string_agg(to_char(stray.month, 'YYYY-MM'), ', ' order by stray.month) as months
from (
    select distinct date_trunc('month', e.occurred_at at time zone 'UTC') as month
    from only auditctl.event_default as e
    where isfinite(e.occurred_at)
) as stray
having count(*) > 0
