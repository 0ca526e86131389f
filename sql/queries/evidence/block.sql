-- Blocks of evidence from a number on, without their hashes; reads the table alone.
select
    b.number, b.incarnation, b.first_leaf, b.events, b.previous_snapshot::text, b.snapshot::text, b.from_time::text, b.until_time::text,
    b.is_last_part, b.first_event_id, b.last_event_id, b.sealed_at::text, b.record, b.state
from auditctl.block as b
where b.number > %(after)s
order by b.number
limit %(limit)s
