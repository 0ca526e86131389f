-- The log has been sealed for 7 days or more, but in the last 35 days no checkpoint was copied to another place.
select
    'auditctl.checkpoint' as object,
    coalesce('on ' || to_char(r.ran_at at time zone 'UTC', 'YYYY-MM-DD'), 'never') as since
from (select b.sealed_at from auditctl.block as b order by b.number limit 1) as first
left join auditctl.run as r on r.run = 'checkpoint'
where first.sealed_at < now() - interval '7 days' and (r.ran_at is null or r.ran_at < now() - interval '35 days')
