-- Whether the coverage guard is complete: both event triggers are there, fire always, and call what they should. Looks the
-- functions up in the catalog, as their schema may be missing.
select pg_catalog.count(*) = 2
from (
    values
    ('auditctl_guard_ddl', 'ddl_command_end', 'guard_ddl'),
    ('auditctl_guard_drop', 'sql_drop', 'guard_drop')
) as part (name, event, function)
join pg_catalog.pg_event_trigger as actual
    on actual.evtname = part.name and actual.evtevent = part.event and actual.evttags is null and actual.evtenabled = 'A'
join pg_catalog.pg_proc as called on actual.evtfoid = called.oid and called.proname = part.function
join pg_catalog.pg_namespace as n on called.pronamespace = n.oid and n.nspname = 'auditctl_guard'
