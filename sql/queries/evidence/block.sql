-- Blocks of evidence from a number on, without their hashes; reads the table alone. A null where there can be none is what
-- the record does not say.
select
    b.number,
    coalesce(b.incarnation, 0) as incarnation,
    coalesce(b.first_leaf, -1) as first_leaf,
    coalesce(b.events, -1) as events,
    coalesce(b.previous_snapshot::text, '1:1:') as previous_snapshot,
    coalesce(b.snapshot::text, '1:1:') as snapshot,
    b.from_time::text,
    b.until_time::text,
    b.is_last_part,
    b.first_event_id,
    b.last_event_id,
    coalesce(b.sealed_at::text, '') as sealed_at,
    coalesce(b.record, '') as record,
    b.state
from auditctl.block as b
where b.number > %(after)s
order by b.number
limit %(limit)s
