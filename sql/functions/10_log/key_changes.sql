-- The names of a table and the keys of an object, one after the other, by which a history is followed.

create or replace function auditctl.target_names(p_target text) returns table (target text, since timestamptz, until timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The table that has the name now, or else the last one that had it.
    with recursive anchor as (
        select
            p_target as target,
            coalesce(
                (
                    select max(departure.renamed_at)
                    from auditctl.rename as departure
                    where departure.old_target = p_target
                        and not exists (
                            select
                            from auditctl.rename as arrival
                            where arrival.new_target = p_target and arrival.renamed_at >= departure.renamed_at
                        )
                ), 'infinity'
            ) as until
    ),

    -- Its earlier names, latest first: each ends when the next one begins.
    backward as (
        select a.target, a.until from anchor as a
        union all
        select r.old_target, r.renamed_at
        from backward as b
        cross join lateral (
            select e.old_target, e.renamed_at
            from auditctl.rename as e
            where e.new_target = b.target and e.renamed_at < b.until
            order by e.renamed_at desc
            limit 1
        ) as r
    ),

    -- Its later names, earliest first.
    forward as (
        select r.new_target as target, r.renamed_at as since
        from anchor as a
        join auditctl.rename as r on r.old_target = a.target and r.renamed_at = a.until
        union all
        select r.new_target, r.renamed_at
        from forward as f
        cross join lateral (
            select e.new_target, e.renamed_at
            from auditctl.rename as e
            where e.old_target = f.target and e.renamed_at > f.since
            order by e.renamed_at
            limit 1
        ) as r
    )

    select
        b.target,
        coalesce(
            (select max(e.renamed_at) from auditctl.rename as e where e.new_target = b.target and e.renamed_at < b.until), '-infinity'
        ),
        b.until
    from backward as b
    union all
    select
        f.target,
        f.since,
        coalesce(
            (select min(e.renamed_at) from auditctl.rename as e where e.old_target = f.target and e.renamed_at > f.since), 'infinity'
        )
    from forward as f
$auditctl$;
revoke execute on function auditctl.target_names from public;
grant execute on function auditctl.target_names to auditctl_reader;
comment on function auditctl.target_names is
    'All names that a table has had, each with its period; only the given name for a table that was never renamed';

create or replace function auditctl.next_key_changes(
    p_target text, p_from timestamptz, p_to timestamptz, p_key text, p_at timestamptz, p_is_later boolean
) returns table (is_turn boolean, at timestamptz)
language sql stable
begin atomic
    -- Inlined, so that each lookup is one step in an index.
    select
        not p_is_later as is_turn,
        case when p_is_later then (
            select min(k.occurred_at)
            from auditctl.key_change as k
            where k.target = p_target and k.target_id = p_key and k.occurred_at > p_at and k.occurred_at between p_from and p_to
        ) else (
            select max(k.occurred_at)
            from auditctl.key_change as k
            where k.target = p_target and k.target_id = p_key and k.occurred_at < p_at and k.occurred_at between p_from and p_to
        ) end as at
    union all
    select
        p_is_later as is_turn,
        case when p_is_later then (
            select min(k.occurred_at)
            from auditctl.key_change as k
            where k.target = p_target and k.previous_target_id = p_key and k.occurred_at > p_at and k.occurred_at between p_from and p_to
        ) else (
            select max(k.occurred_at)
            from auditctl.key_change as k
            where k.target = p_target and k.previous_target_id = p_key and k.occurred_at < p_at and k.occurred_at between p_from and p_to
        ) end as at;
end;
revoke execute on function auditctl.next_key_changes from public;
grant execute on function auditctl.next_key_changes to auditctl_reader;
comment on function auditctl.next_key_changes is
    'When, under one name of a table, a row next got a key after a time, or else last before it, and when one gave it up; a turn ends the period of a row that had it';

create or replace function auditctl.next_key_end(
    p_target text, p_from timestamptz, p_to timestamptz, p_key text, p_at timestamptz, p_is_later boolean
) returns table (at timestamptz)
language sql stable
begin atomic
    -- As text, the action does not lead to the index of rare actions, which has the deletes of all rows.
    select (
        select min(e.occurred_at)
        from auditctl.event as e
        where e.target = p_target and e.target_id = p_key and e.action::text = 'DELETE' and e.occurred_at > p_at
            and e.occurred_at between p_from and p_to
    ) as at
    where p_is_later
    union all
    select (
        select max(e.occurred_at)
        from auditctl.event as e
        where e.target = p_target and e.target_id = p_key and e.action = 'CREATE' and e.occurred_at < p_at
            and e.occurred_at between p_from and p_to
    )
    where not p_is_later;
end;
revoke execute on function auditctl.next_key_end from public;
grant execute on function auditctl.next_key_end to auditctl_reader;
comment on function auditctl.next_key_end is
    'When, under one name of a table, a row with a key was next deleted after a time, or else last created before it; null for never';

create or replace function auditctl.next_key_step(
    p_names text[], p_since timestamptz[], p_until timestamptz[], p_key text, p_at timestamptz, p_is_later boolean
) returns table (change_at timestamptz, turn_at timestamptz)
language sql stable
begin atomic
    -- Only until the nearest change of any row with the key: so each event is read once in each direction, however many rows
    -- share a key.
    select
        case when coalesce(life.ends_at = change.at, true) then change.at end as change_at,
        case when p_is_later then least(life.ends_at, change.turn_at) else greatest(life.ends_at, change.turn_at) end as turn_at
    from (
        select
            case when p_is_later then min(c.at) else max(c.at) end as at,
            case when p_is_later then min(c.at) filter (where c.is_turn) else max(c.at) filter (where c.is_turn) end as turn_at
        from unnest(p_names, p_since, p_until) as name (target, since, until)
        cross join lateral auditctl.next_key_changes(name.target, name.since, name.until, p_key, p_at, p_is_later) as c (is_turn, at)
    ) as change
    cross join lateral (
        select case when p_is_later then min(e.at) else max(e.at) end as ends_at
        from unnest(p_names, p_since, p_until) as name (target, since, until)
        cross join lateral auditctl.next_key_end(
            name.target, case when p_is_later then name.since else greatest(name.since, change.at) end,
            case when p_is_later then least(name.until, change.at) else name.until end, p_key, p_at, p_is_later
        ) as e (at)
    ) as life;
end;
revoke execute on function auditctl.next_key_step from public;
grant execute on function auditctl.next_key_step to auditctl_reader;
comment on function auditctl.next_key_step is
    'The nearest change of a key after a time, or else before it, unless a row ended in between; and when a row with the key ended, as far as that change tells';

create or replace function auditctl.object_key_steps(p_target text, p_target_id text)
returns table (target_id text, at timestamptz, is_later boolean, turn_at timestamptz, is_done boolean)
language sql stable
set search_path = pg_catalog, pg_temp
-- One object has few events in a large log: each step must be an index lookup, never a scan of the log.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set join_collapse_limit = 1
-- JIT compilation for every partition takes seconds; the lookups take milliseconds.
set jit = off
as $auditctl$
    with recursive name as materialized (
        select array_agg(n.target) as targets, array_agg(n.since) as since, array_agg(n.until) as until
        from auditctl.target_names(p_target) as n
    ),

    -- From each change, the previous key is followed to earlier times and the next key to later ones. A step that is done
    -- says when the period turns, as far as it sees; the others begin at the changes that it found.
    step as (
        select side.target_id, k.occurred_at as at, side.is_later, null::timestamptz as turn_at, false as is_done
        from auditctl.key_spellings(p_target, p_target_id) as own (target_id)
        cross join auditctl.target_names(p_target) as n
        join auditctl.key_change as k
            on k.target = n.target and (k.target_id = own.target_id or k.previous_target_id = own.target_id)
                and k.occurred_at between n.since and n.until
        cross join lateral (values (k.previous_target_id, false), (k.target_id, true)) as side (target_id, is_later)
        union
        select found.*
        from step as s
        cross join name
        cross join lateral auditctl.next_key_step(name.targets, name.since, name.until, s.target_id, s.at, s.is_later) as next
        cross join lateral (
            select s.target_id, s.at, s.is_later, next.turn_at, true
            union all
            select side.target_id, k.occurred_at, side.is_later, null, false
            from unnest(name.targets, name.since, name.until) as n (target, since, until)
            join auditctl.key_change as k
                on k.occurred_at in (s.at, next.change_at) and k.occurred_at between n.since and n.until
                    and k.target = n.target and (k.target_id = s.target_id or k.previous_target_id = s.target_id)
            cross join lateral (values (k.previous_target_id, false), (k.target_id, true)) as side (target_id, is_later)
        ) as found
        where not s.is_done and s.target_id is not null
    )

    select s.target_id, s.at, s.is_later, s.turn_at, s.is_done from step as s
$auditctl$;
revoke execute on function auditctl.object_key_steps from public;
grant execute on function auditctl.object_key_steps to auditctl_reader;
comment on function auditctl.object_key_steps is
    'The times at which one object had a key, and for each, if it is done, when a row with the key ended later, or else began before; null for not in sight';

create or replace function auditctl.object_keys(p_target text, p_target_id text)
returns table (target_id text, since timestamptz, until timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select s.target_id, '-infinity'::timestamptz, 'infinity'::timestamptz
    from auditctl.key_spellings(p_target, p_target_id) as s (target_id)
    union
    -- What a step does not see, those further on do.
    select
        s.target_id,
        case when s.is_later then s.at else coalesce(max(s.turn_at) over (partition by s.target_id, s.is_later order by s.at), '-infinity') end,
        case when s.is_later then coalesce(min(s.turn_at) over (partition by s.target_id, s.is_later order by s.at desc), 'infinity') else s.at end
    from auditctl.object_key_steps(p_target, p_target_id) as s
    where s.is_done
$auditctl$;
revoke execute on function auditctl.object_keys from public;
grant execute on function auditctl.object_keys to auditctl_reader;
comment on function auditctl.object_keys is
    'All keys that one object has had, each with its period, following changes of the key in both directions';
