-- The changes from and to some keys, under some names of a table; times in microseconds since 1970.
select
    extract(epoch from change.occurred_at) * 1000000 as at,
    change.target,
    change.previous_target_id,
    change.target_id
from auditctl.key_change as change
where change.target = any (%(targets)s::text[])
    and (change.target_id = any (%(keys)s::text[]) or change.previous_target_id = any (%(keys)s::text[]))
