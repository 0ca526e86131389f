-- Write-once: a trigger refuses every change, even by a role that has the privilege, such as the owner.

create or replace function auditctl_internal.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- The one exception is an erasure that this transaction has announced. Whether one is, the statement asks; which, each row.
    -- Who may not read erasures has announced none.
    if tg_op = 'UPDATE' and tg_level = 'STATEMENT' then
        if has_table_privilege('auditctl.erasure', 'SELECT') then
            if exists (select from auditctl.erasure as e where e.xact_id = pg_current_xact_id_if_assigned()) then
                return null;
            end if;
        end if;
    elsif tg_op = 'UPDATE' then
        if auditctl_internal.is_erasure(
            (
                old.event_id, old.occurred_at, old.xact_id, old.actor_kind, old.action, old.actor, old.ip, old.db_user, old.target,
                old.target_id, old.old_values, old.new_values, old.context
            ),
            (
                new.event_id, new.occurred_at, new.xact_id, new.actor_kind, new.action, new.actor, new.ip, new.db_user, new.target,
                new.target_id, new.old_values, new.new_values, new.context
            )
        ) then
            return new;
        end if;
    end if;
    -- Not undone with the rest. A role that was granted a write on the log need not have a privilege on the sequence.
    if has_sequence_privilege('auditctl.refused_change', 'USAGE, UPDATE') then
        perform nextval('auditctl.refused_change');
    end if;
    raise exception '% on %.% refused: the activity log is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Events are only ever added, by capture and by auditctl.record_event.';
end
$auditctl$;
comment on function auditctl_internal.refuse_change is
    'Raises UA001 on every delete and truncate of the log, and on every update but an announced erasure';

create or replace function auditctl_internal.guard_partition(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_index regclass;
    v_name text;
    v_trigger name;
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
    perform auditctl_internal.open_to_dumps(p_relation);
    for v_trigger in
        select t.tgname
        from pg_trigger as t
        where t.tgrelid = p_relation and t.tgname in ('event_write_once_row', 'event_write_once_statement') and t.tgenabled <> 'A'
    loop
        execute format('alter table only %s enable always trigger %I', p_relation, v_trigger);
    end loop;
    -- An index has the name of the log's own, however the partition came to be: PostgreSQL would make one of its columns.
    for v_index, v_name in
        select x.indexrelid::regclass, expected.name
        from pg_index as x
        join pg_class as c on c.oid = x.indrelid
        join pg_class as own on own.oid = x.indexrelid
        join pg_inherits as i on i.inhrelid = x.indexrelid
        join pg_index as y on y.indexrelid = i.inhparent and y.indrelid = 'auditctl.event'::regclass
        join pg_class as whole on whole.oid = y.indexrelid
        cross join lateral (select c.relname || substr(whole.relname, length('event') + 1)) as expected (name)
        -- A partition that somebody detached and renamed has indexes of these names still.
        where x.indrelid = p_relation and own.relname <> expected.name and to_regclass(format('auditctl.%I', expected.name)) is null
    loop
        execute format('alter index %s rename to %I', v_index, v_name);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.guard_partition is
    'Creates the write-once triggers on the log or one of its partitions; they also hold in replica mode and against pg_write_all_data';

create or replace function auditctl_internal.has_event(p_event_id bigint, p_occurred_at timestamptz) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        exists (select from auditctl.event as e where e.occurred_at = p_occurred_at and e.event_id = p_event_id)
        -- A month that somebody detached may be attached again.
        or exists (
            select
            from pg_class as c
            where c.oid = to_regclass('auditctl.' || to_char(p_occurred_at at time zone 'UTC', '"event_"YYYY_MM'))
                and not c.relispartition
        )
        or exists (
            select
            from auditctl.archived_month as a
            where a.month = to_char(p_occurred_at at time zone 'UTC', 'YYYY-MM') and a.dropped_at is not null and a.ended_at is null
        )
$auditctl$;
comment on function auditctl_internal.has_event is
    'Whether an event is in the log, or may be in a month that was detached from it or is in an archive alone';

create or replace function auditctl_internal.guard_key_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- Retention deletes events by dropping their partition; only then does a key change have no event.
    if tg_op = 'DELETE' and (
        not auditctl_internal.has_event(old.event_id, old.occurred_at)
        -- An erasure of the event's key, which the key change repeats.
        or exists (
            select
            from auditctl.erasure as e
            where e.occurred_at = old.occurred_at and e.event_id = old.event_id and e.xact_id = pg_current_xact_id_if_assigned()
                and 'event.target_id' = any (e.places)
        )
    ) then
        return old;
    end if;
    raise exception '% on %.% refused: the activity log is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'A key change is deleted after its event, by auditctl maintain.';
end
$auditctl$;
comment on function auditctl_internal.guard_key_change is
    'Raises UA001 on every update and truncate of auditctl.key_change, and on the delete of a row whose event still exists';
