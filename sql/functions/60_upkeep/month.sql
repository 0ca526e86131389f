-- The record of the log's months: each is entered when it is created, and ended when upkeep deletes it.

create or replace function auditctl_internal.enter_month(p_month timestamp) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name constant text := 'auditctl.' || auditctl_internal.month_table(p_month);
    v_lost_at timestamptz;
begin
    insert into auditctl.month as known (month) values (to_char(p_month, 'YYYY-MM'))
    on conflict (month) do update
    set
        created_at = now(), has_events = false, events = null, last_event_id = null, counted_at = null, missing = 0, ended_at = null, accepted_at = null, acceptance = null,
        -- One of a month to come had no events.
        lost_at = case when known.ended_at is null and auditctl_internal.utc(p_month) <= now() then now() end
    returning known.lost_at into v_lost_at;
    if v_lost_at is not null then
        perform auditctl_internal.record_upkeep(
            v_name, 'partition was gone, and is created again, empty',
            jsonb_build_object('step', 'lost', 'partition', v_name, 'month', to_char(p_month, 'YYYY-MM'))
        );
    end if;
end
$auditctl$;
comment on function auditctl_internal.enter_month is 'Enters a month that becomes part of the log; records it as lost if it was there before and had not expired';

create or replace function auditctl_internal.end_month(p_month timestamp) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.month set ended_at = now() where month = to_char(p_month, 'YYYY-MM')
$auditctl$;
comment on function auditctl_internal.end_month is 'Notes that the log has dropped a month, as all its events have expired or are in an archive';

create or replace function auditctl_internal.note_count(
    p_month text, p_found bigint, p_left bigint, p_last_event_id bigint default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name constant text := 'auditctl.event_' || translate(p_month, '-', '_');
    -- An event is added late at times, but none goes without upkeep.
    v_missing constant bigint := (select greatest(m.events - p_found, 0) from auditctl.month as m where m.month = p_month);
begin
    update auditctl.month
    set
        has_events = p_left > 0 or (has_events and p_left = p_found),
        events = p_left, last_event_id = p_last_event_id, counted_at = now(), missing = missing + coalesce(v_missing, 0)
    where month = p_month;
    if v_missing > 0 then
        perform auditctl_internal.record_upkeep(
            v_name, format('events are missing: %s', v_missing),
            jsonb_build_object('step', 'count', 'partition', v_name, 'month', p_month, 'missing', v_missing)
        );
    end if;
end
$auditctl$;
comment on function auditctl_internal.note_count is
    'Notes how many of the events of a month that upkeep counted last it found, and how many it has now, with the newest of them; records how many are missing';

create or replace function auditctl_internal.count_months() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Those that were not over when they were counted, and of the others the one that was counted longest ago.
    with due as (
        select m.month, m.last_event_id, period.first, period.next
        from auditctl.month as m
        cross join lateral (
            select
                auditctl_internal.utc(to_date(m.month, 'YYYY-MM')) as first,
                auditctl_internal.utc(to_date(m.month, 'YYYY-MM') + interval '1 month') as next
        ) as period
        where m.ended_at is null and period.first <= now()
            and (
                m.counted_at is null or m.counted_at < period.next + interval '1 day'
                or m.month = (select l.month from auditctl.month as l where l.ended_at is null order by l.counted_at, l.month limit 1)
            )
    )

    select auditctl_internal.note_count(d.month, found.known, found.events, found.last_event_id)
    from due as d
    cross join lateral (
        select
            count(*) as events,
            count(*) filter (where e.event_id <= d.last_event_id or d.last_event_id is null) as known,
            max(e.event_id) as last_event_id
        from auditctl.event as e
        where e.occurred_at >= d.first and e.occurred_at < d.next
    ) as found
$auditctl$;
comment on function auditctl_internal.count_months is 'Counts the events of the newest months, and of one more, so that doctor finds a month that lacks some';

create or replace function auditctl_internal.accept_month(p_month text, p_reason text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name constant text := 'auditctl.event_' || translate(p_month, '-', '_');
begin
    insert into auditctl.month as known (month, accepted_at, acceptance) values (p_month, now(), p_reason)
    on conflict (month) do update
    set accepted_at = now(), acceptance = excluded.acceptance, events = null, last_event_id = null, counted_at = null, missing = 0;
    perform auditctl_internal.record_upkeep(
        v_name, 'loss of events accepted: ' || p_reason,
        jsonb_build_object('step', 'accept', 'partition', v_name, 'month', p_month, 'reason', p_reason)
    );
end
$auditctl$;
comment on function auditctl_internal.accept_month is 'Records why a month is gone or lacks events, after which doctor no longer reports it; upkeep counts it anew';

create or replace function auditctl_internal.guard_month() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% on %.% refused: a month of the log is never forgotten', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Months are entered and ended by auditctl maintain.';
end
$auditctl$;
comment on function auditctl_internal.guard_month is 'Raises UA001 on every delete and truncate of auditctl.month';
