-- Audited tables that the coverage guard leaves alone: so it is only inside a transaction that changes capture.
select
    k.relation::regclass::text as object,
    k.relation::regclass::text as relation
from audit.capture as k
where k.is_being_changed
order by 1
