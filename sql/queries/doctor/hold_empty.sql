-- Holds in force that keep no event, so that what they are for may be deleted.
select
    'auditctl.hold ' || h.hold_id as object,
    h.hold_id as hold,
    h.target || coalesce(' ' || h.target_id, '') as target,
    h.reason
from auditctl.hold as h
where h.released_at is null and auditctl.count_held(h.target, h.target_id, 1) = 0 and auditctl.count_held_archives(h.target) = 0
order by h.hold_id
