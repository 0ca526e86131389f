-- Verifies a block with psql alone: which events it has, by the rule of docs/explanation/evidence.md, and their leaves.

create or replace function auditctl.block_events(p_block auditctl.block, p_first bigint, p_last bigint) returns setof auditctl.event
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with place as (
        select
            p_block.previous_snapshot::text = '1:1:' as is_first,
            own.adoption_event_id as adoption,
            own.last_sealed_event_id as sealed_before,
            (select n.last_sealed_event_id from auditctl.incarnation as n where n.incarnation = p_block.incarnation + 1) as sealed_until,
            (select b.snapshot from auditctl.block as b where b.incarnation = p_block.incarnation order by b.number limit 1) as first_snapshot,
            former.adoption_event_id as former_adoption,
            former.last_sealed_event_id as former_sealed_before,
            (select b.snapshot from auditctl.block as b where b.incarnation = former.incarnation order by b.number limit 1) as former_first_snapshot,
            (select b.snapshot from auditctl.block as b where b.incarnation = former.incarnation order by b.number desc limit 1) as former_snapshot
        from auditctl.incarnation as own
        left join auditctl.incarnation as former on former.incarnation = own.incarnation - 1
        where own.incarnation = p_block.incarnation
    )

    select e.*
    from place as p
    join auditctl.event as e
        on e.event_id between p_first and p_last
            and e.occurred_at >= coalesce(p_block.from_time, '-infinity') and (p_block.until_time is null or e.occurred_at < p_block.until_time)
    where case
        when e.event_id <= p.sealed_before
            -- Committed after the last seal of the former incarnation, and restored.
            then p.is_first and e.event_id > p.former_sealed_before and not pg_visible_in_snapshot(e.xact_id, p.former_snapshot)
                and (e.event_id > p.former_adoption or e.xact_id in (select x from pg_snapshot_xip(p.former_first_snapshot) as x))
        when e.event_id > p.sealed_until then false
        -- Written before the adoption, by transactions of another place.
        when e.event_id <= p.adoption and e.xact_id not in (select x from pg_snapshot_xip(p.first_snapshot) as x) then p.is_first
        else (p.is_first or not pg_visible_in_snapshot(e.xact_id, p_block.previous_snapshot)) and pg_visible_in_snapshot(e.xact_id, p_block.snapshot)
    end
$auditctl$;
revoke execute on function auditctl.block_events(auditctl.block, bigint, bigint) from public;
grant execute on function auditctl.block_events(auditctl.block, bigint, bigint) to auditctl_reader;
comment on function auditctl.block_events(auditctl.block, bigint, bigint) is
    'The events of a range of numbers that belong to a block: what its snapshots and the adoptions of the store decide';

create or replace function auditctl.block_events(p_number bigint) returns setof auditctl.event
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select e.*
    from auditctl.block as b
    -- One that was added may have any number.
    cross join lateral auditctl.block_events(b, -9223372036854775808, 9223372036854775807) as e
    where b.number = p_number
    order by e.event_id, e.occurred_at
$auditctl$;
revoke execute on function auditctl.block_events(bigint) from public;
grant execute on function auditctl.block_events(bigint) to auditctl_reader;
comment on function auditctl.block_events(bigint) is 'The events that belong to a block, in the order of its leaves; reads the whole log';

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
