-- Holds in force for more than a year.
select
    'auditctl.hold ' || h.hold_id as object,
    h.hold_id as hold,
    h.target || coalesce(' ' || h.target_id, '') as target,
    to_char(h.placed_at at time zone 'UTC', 'YYYY-MM-DD') as since,
    h.reason
from auditctl.hold as h
where h.released_at is null and h.placed_at < now() - interval '1 year'
order by h.hold_id
