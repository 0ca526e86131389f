-- Whether the coverage guard is complete: both event triggers are there, fire always, and call their functions, which are
-- compared as text: resolving a name of auditctl_internal takes a right that readers do not have.
select pg_catalog.count(*) = 2
from (
    values
    ('auditctl_guard_ddl', 'ddl_command_end', 'auditctl_internal.guard_ddl()'),
    ('auditctl_guard_drop', 'sql_drop', 'auditctl_internal.guard_drop()')
) as part (name, event, function)
join pg_catalog.pg_event_trigger as found
    on found.evtname = part.name and found.evtevent = part.event and found.evttags is null
    and found.evtfoid::pg_catalog.regprocedure::pg_catalog.text = part.function
where found.evtenabled = 'A'
