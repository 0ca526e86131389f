-- The databases that the log has lived in, in their order, with the snapshots of the first and the last block of each, and
-- the largest event that has been sealed.
select
    i.incarnation,
    i.last_sealed_event_id,
    i.adoption_event_id,
    (select f.snapshot::text from auditctl.block as f where f.incarnation = i.incarnation order by f.number limit 1) as first_snapshot,
    (select l.snapshot::text from auditctl.block as l where l.incarnation = i.incarnation order by l.number desc limit 1) as last_snapshot,
    (select max(b.last_event_id) from auditctl.block as b) as sealed_event_id
from auditctl.incarnation as i
order by i.incarnation
