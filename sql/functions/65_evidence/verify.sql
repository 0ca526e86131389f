-- Verifies a block with psql alone: which events it has, by the rule of docs/explanation/evidence.md, and their leaves.

create or replace function auditctl.block_events(p_number bigint) returns setof auditctl.event
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with sealed as (
        select
            b.*,
            first.snapshot as first_snapshot,
            b.previous_snapshot::text = '1:1:' as is_first,
            i.adoption_event_id as adoption,
            i.last_sealed_event_id as sealed_before,
            next.last_sealed_event_id as sealed_until,
            former.snapshot as former_snapshot,
            former.adoption_event_id as former_adoption,
            former.last_sealed_event_id as former_sealed_before,
            former.first_snapshot as former_first_snapshot
        from auditctl.block as b
        join auditctl.incarnation as i using (incarnation)
        left join auditctl.incarnation as next on next.incarnation = b.incarnation + 1
        cross join lateral (
            select f.snapshot from auditctl.block as f where f.incarnation = b.incarnation order by f.number limit 1
        ) as first
        left join lateral (
            select f.adoption_event_id, f.last_sealed_event_id, last.snapshot, begin.snapshot as first_snapshot
            from auditctl.incarnation as f
            cross join lateral (
                select l.snapshot from auditctl.block as l where l.incarnation = f.incarnation order by l.number desc limit 1
            ) as last
            cross join lateral (
                select l.snapshot from auditctl.block as l where l.incarnation = f.incarnation order by l.number limit 1
            ) as begin
            where f.incarnation = b.incarnation - 1
        ) as former on true
        where b.number = p_number
    )

    select e.*
    from sealed as s
    join auditctl.event as e
        on (s.from_time is null or e.occurred_at >= s.from_time) and (s.until_time is null or e.occurred_at < s.until_time)
    where case
        when e.event_id <= s.sealed_before
            -- Committed after the last seal of the former incarnation, and restored.
            then s.is_first and e.event_id > s.former_sealed_before
                and not pg_visible_in_snapshot(e.xact_id, s.former_snapshot)
                and not (
                    e.event_id <= s.former_adoption
                    and not exists (select from pg_snapshot_xip(s.former_first_snapshot) as x where x = e.xact_id)
                )
        when e.event_id > s.sealed_until then false
        when e.event_id <= s.adoption and not exists (select from pg_snapshot_xip(s.first_snapshot) as x where x = e.xact_id)
            -- Written before the adoption, by transactions of another place.
            then s.is_first
        else (s.is_first or not pg_visible_in_snapshot(e.xact_id, s.previous_snapshot)) and pg_visible_in_snapshot(e.xact_id, s.snapshot)
    end
    order by e.event_id, e.occurred_at
$auditctl$;
revoke execute on function auditctl.block_events from public;
grant execute on function auditctl.block_events to auditctl_reader;
comment on function auditctl.block_events is 'The events that belong to a block, in the order of its leaves; reads the whole log';

create or replace function auditctl.block_leaves(p_number bigint)
returns table (place bigint, event_id bigint, leaf bytea, sealed bytea)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with events as (
        select row_number() over (order by e.event_id, e.occurred_at) - 1 as place, e::auditctl.event as event
        from auditctl.block_events(p_number) as e
    ),

    computed as (
        select
            e.place,
            (e.event).event_id,
            auditctl.event_leaf(e.event, case
                when b.secret is not null then auditctl.event_salt(b.secret, (e.event).event_id, (e.event).occurred_at)
                else substr(b.salts, (32 * e.place + 1)::integer, 32)
            end) as leaf
        from events as e
        join auditctl.block as b on b.number = p_number
        union all
        select b.events, null, sha256(E'\\x00'::bytea || convert_to(E'auditctl block v1\n' || b.record, 'UTF8'))
        from auditctl.block as b
        where b.number = p_number
    ),

    stored as (
        select g.place, substr(b.hashes, (32 * g.place + 1)::integer, 32) as sealed
        from auditctl.block as b
        cross join generate_series(0, b.events) as g (place)
        where b.number = p_number and b.levels is null
    )

    select place, c.event_id, c.leaf, s.sealed
    from computed as c
    full join stored as s using (place)
    order by place
$auditctl$;
revoke execute on function auditctl.block_leaves from public;
grant execute on function auditctl.block_leaves to auditctl_reader;
comment on function auditctl.block_leaves is
    'The leaves of a block as its events have them now, beside those that were sealed; the last one is that of its record';
