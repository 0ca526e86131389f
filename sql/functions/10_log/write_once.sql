-- Write-once: whoever holds the privilege all the same, the owner included, is refused by a trigger.

create or replace function auditctl_internal.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% on %.% refused: the activity log is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Events are only ever added, by capture and by auditctl.record_event.';
end
$auditctl$;

comment on function auditctl_internal.refuse_change() is 'Raises UA001 on every update, delete and truncate of the log';

create or replace function auditctl_internal.guard_partition(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- Row triggers are cloned from auditctl.event; statement triggers are not.
    if not exists (select from pg_trigger where tgrelid = p_relation and tgname = 'event_write_once_row') then
        execute format(
            'create trigger event_write_once_row before update or delete on %s '
            'for each row execute function auditctl_internal.refuse_change()', p_relation
        );
    end if;
    if not exists (select from pg_trigger where tgrelid = p_relation and tgname = 'event_write_once_statement') then
        execute format(
            'create trigger event_write_once_statement before update or delete or truncate on %s '
            'for each statement execute function auditctl_internal.refuse_change()', p_relation
        );
    end if;
    execute format('alter table %s enable row level security', p_relation);
    execute format('alter table only %s enable always trigger event_write_once_row', p_relation);
    execute format('alter table only %s enable always trigger event_write_once_statement', p_relation);
end
$auditctl$;

comment on function auditctl_internal.guard_partition(regclass) is
    'Puts the write-once guards on the log or one of its partitions, also for replica mode and pg_write_all_data';
