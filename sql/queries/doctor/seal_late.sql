-- The log has been sealed, but not in the last 7 days: a run that found nothing to seal counts.
select
    'auditctl.block' as object,
    'on ' || to_char(last.sealed_at at time zone 'UTC', 'YYYY-MM-DD') as since
from (
    select
        greatest(
            (select b.sealed_at from auditctl.block as b order by b.number desc limit 1),
            (select r.sound_at from auditctl.run as r where r.run = 'seal')
        ) as sealed_at
    where exists (select from auditctl.block)
) as last
where last.sealed_at < now() - interval '7 days'
