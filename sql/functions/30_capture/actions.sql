-- The actions that triggers capture.

create or replace function auditctl_internal.captured_action()
returns table (action auditctl.action, trigger text, event text, per_row boolean, type_bits smallint)
language sql stable
begin atomic
    -- Parsed once, and without settings, so that PostgreSQL inlines it into the calling query.
    -- pg_trigger.tgtype adds up 1 for a row trigger, 4 for insert, 8 for delete, 16 for update, 32 for truncate.
    select
        a.action,
        'auditctl_' || pg_catalog.lower(a.action::text) as trigger,
        a.event,
        a.per_row,
        a.type_bits
    from (
        values
        ('CREATE'::auditctl.action, 'insert', true, 5::smallint),
        ('UPDATE', 'update', true, 17),
        ('DELETE', 'delete', true, 9),
        ('TRUNCATE', 'truncate', false, 32)
    ) as a (action, event, per_row, type_bits);
end;
comment on function auditctl_internal.captured_action is
    'The registry of captured actions: the name and event of each trigger, whether it fires for each row (PostgreSQL clones such a trigger to partitions), and its pg_trigger.tgtype';
