-- The history of one object, across changes of its key and renames of its table.

create or replace function auditctl.object_periods(p_target text, p_target_id text)
returns table (target text, target_id text, since timestamptz, until timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Merged, so that no event is read twice however many objects share a key.
    with period as (
        select n.target, k.target_id, greatest(k.since, n.since) as since, least(k.until, n.until) as until
        from auditctl.object_keys(p_target, p_target_id) as k
        cross join auditctl.target_names(p_target) as n
    ),

    merged as (
        select p.target, p.target_id, unnest(range_agg(tstzrange(p.since, p.until, '[]'))) as part
        from period as p
        where p.target_id is not null and p.since <= p.until
        group by p.target, p.target_id
    )

    select m.target, m.target_id, lower(m.part), upper(m.part) from merged as m
$auditctl$;
revoke execute on function auditctl.object_periods from public;
grant execute on function auditctl.object_periods to auditctl_reader;
comment on function auditctl.object_periods is
    'The periods in which one object had a key under a name of its table; those of the same key and name do not overlap';

create or replace function auditctl.object_events(p_target text, p_target_id text)
returns table (event_id bigint, occurred_at timestamptz, action auditctl.action)
language sql stable
set search_path = pg_catalog, pg_temp
-- The same settings as auditctl.object_key_steps, for the same reasons.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set join_collapse_limit = 1
set jit = off
as $auditctl$
    with period as materialized (
        select p.* from auditctl.object_periods(p_target, p_target_id) as p
    )

    select e.event_id, e.occurred_at, e.action
    from period as p
    join auditctl.event as e on e.target = p.target and e.target_id = p.target_id and e.occurred_at between p.since and p.until
    union
    select e.event_id, e.occurred_at, e.action
    from period as p
    join auditctl.key_change as c
        on c.target = p.target and c.previous_target_id = p.target_id and c.occurred_at between p.since and p.until
    join auditctl.event as e on e.occurred_at = c.occurred_at and e.event_id = c.event_id
$auditctl$;
revoke execute on function auditctl.object_events from public;
grant execute on function auditctl.object_events to auditctl_reader;
comment on function auditctl.object_events is 'The events of every row that had the key, as auditctl.history follows them, without truncates';

create or replace function auditctl.history(p_target text, p_target_id text) returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set join_collapse_limit = 1
set jit = off
as $auditctl$
    with own as materialized (
        select o.* from auditctl.object_events(p_target, p_target_id) as o
    ),

    -- A truncate ends the life of a row that was there.
    ordered as (
        select
            entry.event_id, entry.occurred_at, entry.action,
            lag(entry.action) over (order by entry.occurred_at, entry.event_id) as before
        from (
            select o.event_id, o.occurred_at, o.action from own as o
            union all
            select e.event_id, e.occurred_at, e.action
            from auditctl.target_names(p_target) as name
            join auditctl.event as e
                on e.target = name.target and e.target_id is null and e.occurred_at between name.since and name.until
            where e.action = 'TRUNCATE' and e.occurred_at > (select min(o.occurred_at) from own as o)
        ) as entry
    )

    select o.event_id, o.occurred_at
    from ordered as o
    where o.action <> 'TRUNCATE' or o.before not in ('DELETE', 'TRUNCATE')
$auditctl$;
revoke execute on function auditctl.history from public;
grant execute on function auditctl.history to auditctl_reader;
comment on function auditctl.history is
    'The events of every row that had the key, following changes of the key and of the table''s name in both directions';
