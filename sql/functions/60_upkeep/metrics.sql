-- What monitoring reads. Of the log itself, nothing but the counts of days, which upkeep takes once a day, and the targets of months
-- that were left out of the archive.

create or replace function auditctl_internal.count_days() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_today constant date := (now() at time zone 'UTC')::date;
    -- The last two counted days again, for transactions that ended late; of a log that was never counted, one week.
    v_day date := greatest(coalesce((select max(d.day) from auditctl.day_count as d) - 1, v_today - 8), v_today - 8);
begin
    while v_day < v_today loop
        insert into auditctl.day_count as known (day, class, events, bytes)
        select
            v_day, classed.class, count(*),
            sum(
                56 + pg_column_size(e.target) + pg_column_size(e.db_user) + coalesce(pg_column_size(e.actor), 0)
                + coalesce(pg_column_size(e.ip), 0) + coalesce(pg_column_size(e.target_id), 0) + coalesce(pg_column_size(e.context), 0)
                + coalesce(pg_column_size(e.old_values), 0) + coalesce(pg_column_size(e.new_values), 0)
            )
        from auditctl.event as e
        cross join lateral (
            select case when e.target like 'auditctl.%' then 'auditctl' when e.action = 'EVENT' then 'event' when e.action = 'READ' then 'read' else 'table' end
        ) as classed (class)
        where e.occurred_at >= v_day::timestamp at time zone 'UTC' and e.occurred_at < (v_day + 1)::timestamp at time zone 'UTC'
        group by classed.class
        on conflict (day, class) do update set events = excluded.events, bytes = excluded.bytes;
        v_day := v_day + 1;
    end loop;
    delete from auditctl.day_count as d where d.day < v_today - 35;
end
$auditctl$;
comment on function auditctl_internal.count_days is 'Counts the events of the days that are over, by class: each day twice, by the index on time';

create or replace function auditctl.record_run(p_run text, p_is_sound boolean, p_findings integer) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
as $auditctl$
    insert into auditctl.run as known (run, is_sound, sound_at, findings) values (p_run, p_is_sound, case when p_is_sound then now() end, p_findings)
    on conflict (run) do update
    set ran_at = now(), is_sound = excluded.is_sound, findings = excluded.findings, sound_at = coalesce(excluded.sound_at, known.sound_at)
$auditctl$;
revoke execute on function auditctl.record_run from public;
grant execute on function auditctl.record_run to auditctl_admin;
comment on function auditctl.record_run is
    'Notes that check, doctor, maintain, seal, checkpoint or verify ran, and what it found, for monitoring. For administrators: a reader could hide what it found';

create or replace function auditctl.metrics() returns table (name text, label text, value double precision)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    with run as (
        select r.run, r.ran_at, r.is_sound, r.sound_at, r.findings from auditctl.run as r where r.run <> 'maintain'
        union all
        -- The procedure auditctl.maintain() notes its end here alone.
        select
            'maintain', greatest(r.ran_at, m.ran_at), coalesce(r.is_sound or m.ran_at >= r.ran_at, true), m.ran_at,
            case when m.ran_at >= r.ran_at then 0 else coalesce(r.findings, 0) end
        from auditctl.maintenance as m
        left join auditctl.run as r on r.run = 'maintain'
        where r.ran_at is not null or m.ran_at is not null
    ),

    part as (select p.relid from pg_partition_tree('auditctl.event') as p where p.isleaf),

    archived as (
        select a.month, a.rows, case when a.dropped_at is null then 'kept' else 'dropped' end as state
        from auditctl.archived_month as a
        where a.ended_at is null
    )

    select 'events', d.class || ' ' || d.day, d.events::float8 from auditctl.day_count as d where d.day >= (now() at time zone 'UTC')::date - 8
    union all
    select 'event_bytes', d.class || ' ' || d.day, d.bytes::float8 from auditctl.day_count as d where d.day >= (now() at time zone 'UTC')::date - 8
    union all
    select 'log_bytes', null, sum(pg_total_relation_size(p.relid))::float8 from part as p
    union all
    select 'log_inserts_total', null, coalesce(sum(pg_stat_get_tuples_inserted(p.relid)), 0)::float8 from part as p
    union all
    select 'default_partition_bytes', null, pg_total_relation_size('auditctl.event_default')::float8
    union all
    select 'default_partition_events', null, count(*)::float8 from (select from only auditctl.event_default limit 10000) as stray
    union all
    select 'months_ahead', null, count(*)::float8 from auditctl_internal.month_partitions() as m where m.first > now() at time zone 'UTC'
    union all
    select 'last_run_timestamp_seconds', r.run, extract(epoch from r.ran_at)::float8 from run as r
    union all
    select 'last_sound_run_timestamp_seconds', r.run, extract(epoch from r.sound_at)::float8 from run as r where r.sound_at is not null
    union all
    select 'last_run_sound', r.run, r.is_sound::integer::float8 from run as r
    union all
    select 'last_run_findings', r.run, r.findings::float8 from run as r
    union all
    select * from (
        select 'sealed_timestamp_seconds', null::text, extract(epoch from b.sealed_at)::float8
        from auditctl.block as b
        order by b.number desc
        limit 1
    ) as sealed
    union all
    select * from (
        select 'sealed_leaves', null::text, (b.first_leaf + b.events + 1)::float8 from auditctl.block as b order by b.number desc limit 1
    ) as leaves
    union all
    select 'refused_total', 'change', case when s.is_called then s.last_value else 0 end::float8 from auditctl.refused_change as s
    union all
    select 'refused_total', 'ddl', case when s.is_called then s.last_value else 0 end::float8 from auditctl.refused_ddl as s
    union all
    select 'archived_months', s.state, count(a.month)::float8
    from (values ('kept'), ('dropped')) as s (state)
    left join archived as a on a.state = s.state
    group by s.state
    union all
    select 'archived_events', s.state, coalesce(sum(a.rows), 0)::float8
    from (values ('kept'), ('dropped')) as s (state)
    left join archived as a on a.state = s.state
    group by s.state
    union all
    select
        'archived_until_timestamp_seconds', null,
        extract(epoch from auditctl_internal.utc(to_date(max(a.month), 'YYYY-MM') + interval '1 month'))::float8
    from archived as a
    having count(*) > 0
    union all
    select 'unarchived_months', null, count(*)::float8
    from auditctl_internal.month_partitions() as m
    left join auditctl.archiving as s on true
    where (
        to_char(m.first, 'YYYY-MM') < (select max(a.month) from archived as a)
        or s.name is not null
        and m.first + interval '1 month' <= now() at time zone 'UTC' - coalesce(s.keep_hot, '0 days')::interval - interval '35 days'
    )
    and auditctl_internal.has_cold_events(to_char(m.first, 'YYYY-MM'))
    and not exists (
        -- One that was brought back is to stay.
        select from auditctl.archived_month as a where a.month = to_char(m.first, 'YYYY-MM') and (a.ended_at is null or a.restored_at is not null)
    )
    union all
    select 'audited_tables', null, count(*)::float8 from auditctl.capture
    union all
    select 'holds', null, count(*)::float8 from auditctl.hold as h where h.released_at is null
    union all
    select 'guard_enabled', null, (count(*) = 2)::integer::float8
    from pg_event_trigger as t
    where t.evtname in ('auditctl_guard_ddl', 'auditctl_guard_drop') and t.evtenabled = 'A'
$auditctl$;
revoke execute on function auditctl.metrics from public;
grant execute on function auditctl.metrics to auditctl_reader, pg_monitor;
comment on function auditctl.metrics is
    'What monitoring shows, without reading the log: names and values, with the class and day, the command, or the kind as label; for readers and members of pg_monitor';
