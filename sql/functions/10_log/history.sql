-- The history of one object, across changes of its key and renames of its table.

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

create or replace function auditctl.object_keys(p_target text, p_target_id text)
returns table (target_id text, since timestamptz, until timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
-- One object has few events in a large log: each step must be an index lookup, never a scan of the log.
set enable_hashjoin = off
set enable_mergejoin = off
-- JIT compilation for every partition takes seconds; the lookups take milliseconds.
set jit = off
as $auditctl$
    with recursive name as materialized (
        select n.target, n.since, n.until from auditctl.target_names(p_target) as n
    ),

    change as not materialized (
        select k.occurred_at, k.previous_target_id, k.target_id
        from name
        join auditctl.key_change as k on k.target = name.target and k.occurred_at between name.since and name.until
    ),

    life as (
        select p_target_id as target_id, '-infinity'::timestamptz as since, 'infinity'::timestamptz as until
        union
        select step.target_id, step.since, step.until
        from life
        cross join lateral (
            -- Before it had this key: since the last time that a row was given the previous key.
            select
                c.previous_target_id as target_id,
                coalesce(
                    greatest(
                        (
                            select max(birth.occurred_at)
                            from name
                            join auditctl.event as birth
                                on birth.target = name.target and birth.target_id = c.previous_target_id
                                and birth.occurred_at between name.since and name.until
                            where birth.occurred_at < c.occurred_at and birth.action = 'CREATE'
                        ),
                        (
                            select max(arrival.occurred_at)
                            from change as arrival
                            where arrival.target_id = c.previous_target_id and arrival.occurred_at < c.occurred_at
                        )
                    ), '-infinity'
                ) as since,
                c.occurred_at as until
            from change as c
            where c.target_id = life.target_id and c.occurred_at between life.since and life.until
            union all
            -- After it gave up this key: until the next time that a row gave up the new key.
            select
                c.target_id,
                c.occurred_at,
                coalesce(
                    least(
                        (
                            select min(death.occurred_at)
                            from name
                            join auditctl.event as death
                                on death.target = name.target and death.target_id = c.target_id
                                and death.occurred_at between name.since and name.until
                            where death.occurred_at > c.occurred_at and death.action = 'DELETE'
                        ),
                        (
                            select min(departure.occurred_at)
                            from change as departure
                            where departure.previous_target_id = c.target_id and departure.occurred_at > c.occurred_at
                        )
                    ), 'infinity'
                )
            from change as c
            where c.previous_target_id = life.target_id and c.occurred_at between life.since and life.until
        ) as step
    )

    select l.target_id, l.since, l.until from life as l
$auditctl$;
revoke execute on function auditctl.object_keys from public;
grant execute on function auditctl.object_keys to auditctl_reader;
comment on function auditctl.object_keys is
    'All keys that one object has had, each with its period, following changes of the key in both directions';

create or replace function auditctl.history(p_target text, p_target_id text) returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
-- The same settings as auditctl.object_keys, for the same reasons.
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $auditctl$
    with name as materialized (
        select n.target, n.since, n.until from auditctl.target_names(p_target) as n
    ),

    -- The keys under each name, with the period in which both were in use.
    life as materialized (
        select name.target, k.target_id, greatest(k.since, name.since) as since, least(k.until, name.until) as until
        from auditctl.object_keys(p_target, p_target_id) as k
        cross join name
    ),

    own as (
        select e.event_id, e.occurred_at, e.action
        from life as l
        join auditctl.event as e
            on e.target = l.target and e.target_id = l.target_id and e.occurred_at between l.since and l.until
        union
        select e.event_id, e.occurred_at, e.action
        from life as l
        join auditctl.key_change as c
            on c.target = l.target and c.previous_target_id = l.target_id and c.occurred_at between l.since and l.until
        join auditctl.event as e on e.occurred_at = c.occurred_at and e.event_id = c.event_id
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
            from name
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
