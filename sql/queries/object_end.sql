-- The events that created or deleted rows with some keys, under some names of a table; times in microseconds since 1970.
select
    extract(epoch from event.created_on) * 1000000 as at,
    event.target_name,
    event.target_id,
    event.action = 'DELETE' as is_delete
from auditctl.activity as event
where event.target_name = any (%(targets)s::text[])
    and event.target_id = any (%(keys)s::text[])
    and event.action::text in ('CREATE', 'DELETE')
