-- What is recorded about rules and keys, oldest first: changes of rules, installations of capture, and changes of keys by DDL.
select
    e.event_id,
    e.occurred_at,
    e.xact_id::text as xact,
    e.target as subject,
    e.target_id as name,
    e.old_values as before,
    e.new_values as after
from auditctl.event as e
where e.target in ('auditctl.rule', 'auditctl.capture')
    or e.target = 'auditctl.ddl' and e.new_values -> 'changes' @? '$[*].key'
order by e.occurred_at, e.event_id
