-- Whether the coverage guard is complete: both event triggers are there, fire always, and call what they should.
select pg_catalog.count(*) = 2
from (
    values
    ('auditctl_guard_ddl', 'ddl_command_end', 'auditctl_internal.guard_ddl()'),
    ('auditctl_guard_drop', 'sql_drop', 'auditctl_internal.guard_drop()')
) as part (name, event, function)
join pg_catalog.pg_event_trigger as found
    on found.evtname = part.name and found.evtevent = part.event and found.evttags is null
    and found.evtfoid = pg_catalog.to_regprocedure(part.function)
where found.evtenabled = 'A'
