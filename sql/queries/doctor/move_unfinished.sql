-- A move of events out of the DEFAULT partition that began more than an hour ago and is not complete.
select
    'auditctl.event_moving' as object,
    to_char(m.moving_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') as since
from auditctl.maintenance as m
where m.moving_since < now() - interval '1 hour' and to_regclass('auditctl.event_moving') is not null
