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

create or replace function auditctl.key_since(p_target text, p_from timestamptz, p_to timestamptz, p_key text, p_at timestamptz)
returns table (since timestamptz, departure timestamptz)
language sql stable
begin atomic
    -- Inlined, so that each lookup is one step in an index. A birth counts only if it is later than the last arrival at the
    -- key: so each event is read for one period only.
    select
        greatest(
            last.arrival, (
                select birth.occurred_at
                from auditctl.event as birth
                where birth.target = p_target and birth.target_id = p_key and birth.action = 'CREATE' and birth.occurred_at < p_at
                    and birth.occurred_at between greatest(p_from, last.arrival) and p_to
                order by birth.occurred_at desc
                limit 1
            )
        ) as since,
        last.departure
    from (
        select
            (
                select k.occurred_at
                from auditctl.key_change as k
                where k.target = p_target and k.target_id = p_key and k.occurred_at < p_at and k.occurred_at between p_from and p_to
                order by k.occurred_at desc
                limit 1
            ) as arrival,
            (
                select k.occurred_at
                from auditctl.key_change as k
                where k.target = p_target and k.previous_target_id = p_key and k.occurred_at < p_at
                    and k.occurred_at between p_from and p_to
                order by k.occurred_at desc
                limit 1
            ) as departure
    ) as last;
end;
revoke execute on function auditctl.key_since from public;
grant execute on function auditctl.key_since to auditctl_reader;
comment on function auditctl.key_since is
    'When, under one name of a table, a row was last given a key before a time, and when one last gave it up; null for never';

create or replace function auditctl.key_until(p_target text, p_from timestamptz, p_to timestamptz, p_key text, p_at timestamptz)
returns table (until timestamptz, arrival timestamptz)
language sql stable
begin atomic
    -- As text, the action does not lead to the index of rare actions, which has the deletes of all rows.
    select
        least(
            next.departure, (
                select death.occurred_at
                from auditctl.event as death
                where death.target = p_target and death.target_id = p_key and death.action::text = 'DELETE' and death.occurred_at > p_at
                    and death.occurred_at between p_from and least(p_to, next.departure)
                order by death.occurred_at
                limit 1
            )
        ) as until,
        next.arrival
    from (
        select
            (
                select k.occurred_at
                from auditctl.key_change as k
                where k.target = p_target and k.previous_target_id = p_key and k.occurred_at > p_at
                    and k.occurred_at between p_from and p_to
                order by k.occurred_at
                limit 1
            ) as departure,
            (
                select k.occurred_at
                from auditctl.key_change as k
                where k.target = p_target and k.target_id = p_key and k.occurred_at > p_at
                    and k.occurred_at between p_from and p_to
                order by k.occurred_at
                limit 1
            ) as arrival
    ) as next;
end;
revoke execute on function auditctl.key_until from public;
grant execute on function auditctl.key_until to auditctl_reader;
comment on function auditctl.key_until is
    'When, under one name of a table, a row first gave up a key after a time, and when one was first given it; null for never';

create or replace function auditctl.key_changes_at(p_target text, p_key text, p_at timestamptz)
returns table (event_id bigint, occurred_at timestamptz, previous_target_id text, target_id text)
language sql stable
begin atomic
    select
        k.event_id,
        k.occurred_at,
        k.previous_target_id,
        k.target_id
    from auditctl.key_change as k
    where k.target = p_target and k.target_id = p_key and k.occurred_at = p_at
    union all
    select
        k.event_id,
        k.occurred_at,
        k.previous_target_id,
        k.target_id
    from auditctl.key_change as k
    where k.target = p_target and k.previous_target_id = p_key and k.occurred_at = p_at;
end;
revoke execute on function auditctl.key_changes_at from public;
grant execute on function auditctl.key_changes_at to auditctl_reader;
comment on function auditctl.key_changes_at is 'The changes to a key and from it, under one name of a table, at one time';

create or replace function auditctl.object_key_changes(p_target text, p_target_id text)
returns table (previous_target_id text, since timestamptz, occurred_at timestamptz, target_id text, until timestamptz)
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
        select n.target, n.since, n.until from auditctl.target_names(p_target) as n
    ),

    spelling as materialized (
        select array(select s.target_id from auditctl.key_spellings(p_target, p_target_id) as s (target_id)) as keys
    ),

    reached as (
        select k.event_id, k.occurred_at, k.previous_target_id, k.target_id
        from name
        join auditctl.key_change as k on k.target = name.target and k.occurred_at between name.since and name.until
        where k.target_id = any ((select s.keys from spelling as s)::text[])
            or k.previous_target_id = any ((select s.keys from spelling as s)::text[])
        union
        -- From each change only to its neighbors: those where the row got the previous key and gave up the next one, and the
        -- nearest in between, which lead to the others.
        select k.event_id, k.occurred_at, k.previous_target_id, k.target_id
        from reached as c
        cross join lateral (
            select max(s.since) as since, max(s.departure) as departure
            from name
            cross join lateral auditctl.key_since(name.target, name.since, name.until, c.previous_target_id, c.occurred_at) as s
        ) as before
        cross join lateral (
            select min(s.until) as until, min(s.arrival) as arrival
            from name
            cross join lateral auditctl.key_until(name.target, name.since, name.until, c.target_id, c.occurred_at) as s
        ) as after
        cross join lateral (
            values
            (c.previous_target_id, c.occurred_at), (c.previous_target_id, before.since),
            (c.previous_target_id, case when before.departure >= coalesce(before.since, '-infinity') then before.departure end),
            (c.target_id, c.occurred_at), (c.target_id, after.until),
            (c.target_id, case when after.arrival <= coalesce(after.until, 'infinity') then after.arrival end)
        ) as neighbor (target_id, occurred_at)
        join name on neighbor.occurred_at between name.since and name.until
        cross join lateral auditctl.key_changes_at(name.target, neighbor.target_id, neighbor.occurred_at) as k
    )

    select
        c.previous_target_id,
        coalesce(
            (
                select max(s.since)
                from name
                cross join lateral auditctl.key_since(name.target, name.since, name.until, c.previous_target_id, c.occurred_at) as s
            ), '-infinity'
        ),
        c.occurred_at,
        c.target_id,
        coalesce(
            (
                select min(s.until)
                from name
                cross join lateral auditctl.key_until(name.target, name.since, name.until, c.target_id, c.occurred_at) as s
            ), 'infinity'
        )
    from reached as c
$auditctl$;
revoke execute on function auditctl.object_key_changes from public;
grant execute on function auditctl.object_key_changes to auditctl_reader;
comment on function auditctl.object_key_changes is
    'The key changes of one object, in both directions, each with the times since which it had the previous key and until which the next';

create or replace function auditctl.object_keys(p_target text, p_target_id text)
returns table (target_id text, since timestamptz, until timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with change as materialized (
        select c.* from auditctl.object_key_changes(p_target, p_target_id) as c
    )

    select s.target_id, '-infinity'::timestamptz, 'infinity'::timestamptz
    from auditctl.key_spellings(p_target, p_target_id) as s (target_id)
    union
    select c.previous_target_id, c.since, c.occurred_at from change as c where c.target_id is not null
    union
    select c.target_id, c.occurred_at, c.until from change as c where c.previous_target_id is not null
$auditctl$;
revoke execute on function auditctl.object_keys from public;
grant execute on function auditctl.object_keys to auditctl_reader;
comment on function auditctl.object_keys is
    'All keys that one object has had, each with its period, following changes of the key in both directions';
