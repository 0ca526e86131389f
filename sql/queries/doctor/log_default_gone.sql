-- The DEFAULT partition, if it is not part of the log.
select 'auditctl.event_default' as object
where not exists (
    select from pg_inherits as i where i.inhparent = to_regclass('auditctl.event') and i.inhrelid = to_regclass('auditctl.event_default')
)
