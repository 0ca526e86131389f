-- Upkeep of the log's partitions. Nothing here waits longer than a tenth of a second for a lock that would block writers.

create or replace function auditctl_internal.month_table(p_month timestamp) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select to_char(p_month, '"event_"YYYY_MM')
$auditctl$;
comment on function auditctl_internal.month_table is 'The name of a month''s partition';

create or replace function auditctl_internal.month_of(p_name text) returns timestamp
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select make_date(split_part(p_name, '_', 2)::integer, split_part(p_name, '_', 3)::integer, 1)::timestamp
$auditctl$;
comment on function auditctl_internal.month_of is 'The month in a partition''s name';

create or replace function auditctl_internal.utc(p_time timestamp) returns timestamptz
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select p_time at time zone 'UTC'
$auditctl$;
comment on function auditctl_internal.utc is 'Interprets a timestamp in UTC';

create or replace function auditctl_internal.stray_months() returns setof timestamp
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Jumps from month to month in the index. Events of years without four digits stay where they are.
    with recursive stray as (
        (
            select date_trunc('month', e.occurred_at at time zone 'UTC') as month
            from only auditctl.event_default as e
            where e.occurred_at >= timestamptz '0001-01-01 00:00+00' and e.occurred_at < timestamptz '9999-12-01 00:00+00'
            order by e.occurred_at
            limit 1
        )
        union all
        select (
            select date_trunc('month', e.occurred_at at time zone 'UTC')
            from only auditctl.event_default as e
            where e.occurred_at >= auditctl_internal.utc(s.month + interval '1 month') and e.occurred_at < timestamptz '9999-12-01 00:00+00'
            order by e.occurred_at
            limit 1
        )
        from stray as s
        where s.month is not null
    )

    select s.month
    from stray as s
    where s.month is not null and (
        to_regclass('auditctl.' || auditctl_internal.month_table(s.month)) is null or to_regclass('auditctl.event_moving') is not null
    )
$auditctl$;
comment on function auditctl_internal.stray_months is 'The months of events in the DEFAULT partition that can have a partition of their own';

create or replace function auditctl_internal.missing_months() returns setof timestamp
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select month.first
    from (
        select date_trunc('month', now() at time zone 'UTC') + ahead * interval '1 month' as first
        from generate_series(0, 3) as ahead
    ) as month
    where to_regclass('auditctl.' || auditctl_internal.month_table(month.first)) is null
$auditctl$;
comment on function auditctl_internal.missing_months is 'The months from this one to three ahead that have no partition';

create or replace function auditctl_internal.lock_holders(p_relations oid[]) returns text[]
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(
        distinct case
            when l.pid is null then format('prepared transaction %L of login %s', p.gid, p.owner)
            else format('process %s of login %s, transaction %s', l.pid, coalesce(s.usename, 'unknown'), l.virtualtransaction)
        end
    )
    from pg_locks as l
    left join pg_stat_activity as s on s.pid = l.pid
    left join pg_locks as own
        on l.pid is null and own.pid is null and own.virtualtransaction = l.virtualtransaction and own.locktype = 'transactionid'
    left join pg_prepared_xacts as p on p.transaction = own.transactionid
    where l.locktype = 'relation' and l.relation = any (p_relations) and l.granted and l.pid is distinct from pg_backend_pid()
        and l.database = (select d.oid from pg_database as d where d.datname = current_database())
$auditctl$;
comment on function auditctl_internal.lock_holders is 'Other transactions that hold a lock on one of these tables, with their logins';

create or replace function auditctl_internal.give_up(p_table text, p_holder text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% is in use by a transaction that does not end%', p_table, coalesce(' (' || p_holder || ')', '')
        using errcode = 'lock_not_available',
            hint = 'Nothing was lost, and nobody waits. Run auditctl maintain again when that transaction has ended.';
end
$auditctl$;
comment on function auditctl_internal.give_up is 'Raises lock_not_available: upkeep leaves the rest to the next run rather than let writers wait';

create or replace function auditctl_internal.lock_log(p_parts regclass[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_relations constant oid[] := p_parts::oid[] || 'auditctl.event'::regclass::oid;
    v_start constant timestamptz := clock_timestamp();
    v_long_running constant text[] := auditctl_internal.lock_holders(v_relations);
    v_holder text;
    v_part regclass;
begin
    for v_attempt in 1..20 loop
        v_holder := null;
        select h.holder into v_holder from unnest(auditctl_internal.lock_holders(v_relations)) as h (holder) where h.holder = any (v_long_running) limit 1;
        -- No writer is made to wait for a transaction that has lasted this long.
        exit when v_holder is not null and clock_timestamp() > v_start + interval '1 second';
        if v_holder is null or clock_timestamp() < v_start + interval '0.5 seconds' then
            begin
                -- From here on, other writers and readers queue behind this lock.
                lock table only auditctl.event in access exclusive mode;
                foreach v_part in array p_parts loop
                    execute format('lock table only %s in access exclusive mode nowait', v_part);
                end loop;
                return;
            exception when lock_not_available or deadlock_detected then
                null;
            end;
        end if;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    perform auditctl_internal.give_up('the log', v_holder);
end
$auditctl$;
comment on function auditctl_internal.lock_log is 'Locks the log and some of its partitions until the transaction ends; gives up rather than let writers wait';

create or replace function auditctl_internal.make_month(p_name text, p_month timestamp, p_parent regclass, p_replaces regclass default null)
returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation constant regclass := auditctl_internal.make_table(
        p_name, coalesce(p_replaces, 'auditctl.event'), coalesce(p_replaces, 'auditctl.event_default')
    );
    v_lower constant text := to_char(p_month, 'YYYY-MM-DD"T00:00:00+00"');
    v_upper constant text := to_char(p_month + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"');
begin
    execute format('comment on table %s is %L', v_relation, format('Events of %s (UTC)', to_char(p_month, 'YYYY-MM')));
    -- Allows attaching the table without scanning it.
    execute format(
        'alter table %s add constraint event_month check (occurred_at >= %L and occurred_at < %L)', v_relation, v_lower, v_upper
    );
    if p_parent is null then
        perform auditctl_internal.guard_partition(v_relation);
    else
        perform auditctl_internal.attach_month(v_relation, p_month, p_parent);
    end if;
    return v_relation;
end
$auditctl$;
comment on function auditctl_internal.make_month is
    'Creates the guarded table of a month with its indexes, standalone or as a partition of p_parent, set up like the log or the month it replaces';

create or replace function auditctl_internal.attach_month(p_relation regclass, p_month timestamp, p_parent regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- The parent's row trigger is cloned to the partition.
    execute format('drop trigger if exists event_write_once_row on %s', p_relation);
    execute format(
        'alter table %s attach partition %s for values from (%L) to (%L)', p_parent, p_relation,
        to_char(p_month, 'YYYY-MM-DD"T00:00:00+00"'), to_char(p_month + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"')
    );
    perform auditctl_internal.guard_partition(p_relation);
    if p_parent = 'auditctl.event'::regclass then
        execute format('alter table %s drop constraint event_month', p_relation);
    end if;
end
$auditctl$;
comment on function auditctl_internal.attach_month is 'Attaches a month''s table as a partition, guarded before and after';
