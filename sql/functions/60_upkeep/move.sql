-- Moves events from the DEFAULT partition to monthly partitions while others write and read. From the first step on, every
-- new event of the DEFAULT partition is also written to a copy; older events are copied in batches; the complete copy
-- replaces the original in one transaction. At every moment each event is in the log exactly once.

create or replace function auditctl_internal.mirror_event() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A write must not fail if the copy is missing; the move then starts again.
    if to_regclass('auditctl.event_moving') is not null then
        insert into auditctl.event_moving select (new).*;
    end if;
    return null;
end
$auditctl$;
comment on function auditctl_internal.mirror_event is 'Also writes an event of the DEFAULT partition to the copy that will replace it';

create or replace function auditctl_internal.is_mirrored() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select to_regclass('auditctl.event_moving') is not null and exists (
        select
        from pg_trigger as t
        where t.tgrelid = to_regclass('auditctl.event_default') and t.tgname = 'event_mirrored' and t.tgenabled = 'A'
            -- Without a move in progress, a leftover copy may lack events.
            and (select m.moving_since is not null from auditctl.maintenance as m)
    )
$auditctl$;
comment on function auditctl_internal.is_mirrored is 'Whether events of the DEFAULT partition are being moved';

create or replace function auditctl_internal.begin_move() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_months timestamp[];
    v_month timestamp;
begin
    drop table if exists auditctl.event_moving;
    v_months := array(select s.m from auditctl_internal.stray_months() as s (m) union select n.m from auditctl_internal.missing_months() as n (m) order by 1);
    create table auditctl.event_moving (
        like auditctl.event including defaults including constraints including comments including indexes
    ) partition by range (occurred_at);
    comment on table auditctl.event_moving is 'The events of the DEFAULT partition, on their way to months of their own';
    perform auditctl_internal.guard_partition('auditctl.event_moving');
    perform auditctl_internal.make_table('event_next', 'auditctl.event_default', 'auditctl.event_default');
    alter table auditctl.event_moving attach partition auditctl.event_next default;
    perform auditctl_internal.guard_partition('auditctl.event_next');
    foreach v_month in array v_months loop
        perform auditctl_internal.make_month(auditctl_internal.month_table(v_month), v_month, 'auditctl.event_moving');
    end loop;
    -- Once this lock is granted, earlier writers have finished, and later ones fire the trigger.
    perform auditctl_internal.lock_default();
    drop trigger if exists event_mirrored on auditctl.event_default;
    create trigger event_mirrored after insert on auditctl.event_default for each row execute function auditctl_internal.mirror_event();
    alter table auditctl.event_default enable always trigger event_mirrored;
    update auditctl.maintenance
    set (moving_since, moved_at, moved_id, moved) = (now(), '-infinity', -9223372036854775808, 0);
    -- A seal may come before the move ends, and must find announced what it has done so far.
    return auditctl_internal.record_upkeep(
        'auditctl.event_default', 'move of events out of the DEFAULT partition begun',
        jsonb_build_object(
            'step', 'move', 'partition', 'auditctl.event_default', 'state', 'begun',
            'months', array(select to_char(m, 'YYYY-MM') from unnest(v_months) as m)
        )
    );
end
$auditctl$;
comment on function auditctl_internal.begin_move is
    'Creates an empty copy of the DEFAULT partition, and the trigger that also writes new events to it';

create or replace function auditctl_internal.lock_default() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
begin
    for v_attempt in 1..20 loop
        begin
            lock table only auditctl.event_default in share row exclusive mode;
            return;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    perform auditctl_internal.give_up('the DEFAULT partition', (auditctl_internal.lock_holders(array['auditctl.event_default'::regclass::oid]))[1]);
end
$auditctl$;
comment on function auditctl_internal.lock_default is
    'Blocks writers of the DEFAULT partition until the transaction ends; gives up rather than let them wait';

create or replace function auditctl_internal.copy_events() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_state auditctl.maintenance;
    v_last record;
    v_copied bigint;
begin
    select m.* into v_state from auditctl.maintenance as m;
    select e.occurred_at, e.event_id
    into v_last
    from (
        select d.occurred_at, d.event_id
        from only auditctl.event_default as d
        where (d.occurred_at, d.event_id) > (v_state.moved_at, v_state.moved_id)
        order by d.occurred_at, d.event_id
        limit 50000
    ) as e
    order by e.occurred_at desc, e.event_id desc
    limit 1;
    if not found then
        return null;
    end if;
    -- Events written since the move began are in the copy already.
    insert into auditctl.event_moving
    select d.*
    from only auditctl.event_default as d
    where (d.occurred_at, d.event_id) > (v_state.moved_at, v_state.moved_id)
        and (d.occurred_at, d.event_id) <= (v_last.occurred_at, v_last.event_id)
    on conflict (occurred_at, event_id) do nothing;
    get diagnostics v_copied = row_count;
    update auditctl.maintenance
    set (moved_at, moved_id, moved) = (v_last.occurred_at, v_last.event_id, v_state.moved + v_copied);
    return jsonb_build_object(
        'step', 'move', 'partition', 'auditctl.event_default', 'state', 'copied', 'events', v_state.moved + v_copied
    );
end
$auditctl$;
comment on function auditctl_internal.copy_events is 'Copies the next batch of the DEFAULT partition; null when none is left';

create or replace function auditctl_internal.require_whole_copy() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_counts record;
begin
    -- Both counts use one snapshot: events written meanwhile are in both or in neither.
    select
        (select count(*) from only auditctl.event_default) as original,
        (select count(*) from auditctl.event_moving) as copy
    into v_counts;
    if v_counts.original <> v_counts.copy then
        raise exception 'the DEFAULT partition holds % events and its copy %', v_counts.original, v_counts.copy
            using errcode = 'data_corrupted',
                hint = 'Nothing was changed. To copy them again: set role auditctl_owner; drop table auditctl.event_moving';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_whole_copy is 'Raises unless the copy of the DEFAULT partition has as many events as the original';

create or replace function auditctl_internal.end_move() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month record;
    v_months jsonb;
    v_comment constant text := obj_description('auditctl.event_default'::regclass, 'pg_class');
begin
    perform auditctl_internal.require_whole_copy();
    select coalesce(jsonb_object_agg(c.partition, c.events), '{}')
    into v_months
    from (select e.tableoid::regclass::text as partition, count(*) as events from auditctl.event_moving as e group by 1) as c;
    perform auditctl_internal.lock_log(array['auditctl.event_default'::regclass]);
    drop table auditctl.event_default;
    for v_month in
        select i.inhrelid::regclass as relation, auditctl_internal.month_of(c.relname) as first
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'auditctl.event_moving'::regclass and c.relname <> 'event_next'
        order by c.relname
    loop
        execute format('alter table auditctl.event_moving detach partition %s', v_month.relation);
        perform auditctl_internal.attach_month(v_month.relation, v_month.first, 'auditctl.event');
        perform auditctl_internal.enter_month(v_month.first);
    end loop;
    alter table auditctl.event_moving detach partition auditctl.event_next;
    drop table auditctl.event_moving;
    drop trigger if exists event_write_once_row on auditctl.event_next;
    alter table auditctl.event_next rename to event_default;
    alter table auditctl.event attach partition auditctl.event_default default;
    perform auditctl_internal.guard_partition('auditctl.event_default');
    execute format('comment on table auditctl.event_default is %L', v_comment);
    update auditctl.maintenance set (moving_since, moved_at, moved_id) = (null, null, null);
    return auditctl_internal.record_upkeep(
        'auditctl.event_default', 'events moved out of the DEFAULT partition',
        jsonb_build_object('step', 'move', 'partition', 'auditctl.event_default', 'state', 'done', 'events', v_months)
    );
end
$auditctl$;
comment on function auditctl_internal.end_move is 'Replaces the DEFAULT partition by its copy, in one transaction';

create or replace function auditctl_internal.written_until() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A step is a subtransaction, whose number the catalogs have. Verify takes what lies between for announced.
    select jsonb_build_object('written_until', (
        select w.xmin::text
        from (
            select c.xmin from pg_class as c where c.relnamespace = 'auditctl'::regnamespace
            union all
            select t.xmin from pg_trigger as t join pg_class as c on c.oid = t.tgrelid where c.relnamespace = 'auditctl'::regnamespace
            union all
            select p.xmin from pg_policy as p join pg_class as c on c.oid = p.polrelid where c.relnamespace = 'auditctl'::regnamespace
        ) as w
        order by age(w.xmin)
        limit 1
    ))
$auditctl$;
comment on function auditctl_internal.written_until is 'The last transaction that wrote to the catalogs about the store''s tables, for the event that announces it';

create or replace function auditctl_internal.record_upkeep(
    p_partition text, p_summary text, p_data jsonb, p_event_id bigint default null
) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.insert_event(
        'auditctl.partition', p_partition, 'EVENT', null, p_data || auditctl_internal.written_until(), p_summary, p_event_id => p_event_id
    );
    return p_data;
end
$auditctl$;
comment on function auditctl_internal.record_upkeep is 'Records a step of upkeep on a partition, and returns its data';
