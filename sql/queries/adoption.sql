-- The events that record an adoption: what came before each was written elsewhere, maybe under numbers that transactions
-- of this cluster have again.
select e.event_id, e.xact_id::text::numeric as xact_id
from auditctl.event as e
where e.action = 'EVENT' and e.target = 'auditctl.store' and e.new_values ? 'found'
order by e.event_id
