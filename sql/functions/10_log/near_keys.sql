-- Keys like one that the log does not have, for hints.

create or replace function auditctl_internal.fold_key(p_key text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select ltrim(lower(regexp_replace(p_key, '[^[:alnum:]]', '', 'g')), '0')
$auditctl$;
comment on function auditctl_internal.fold_key is 'A key without case, punctuation, blanks and leading zeros, to compare it with similar ones';

create or replace function auditctl.near_keys(p_target text, p_key text) returns setof text
language sql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
    -- The first keys of the target, with one index probe for each.
    with recursive probe as (
        (select e.target_id, 1 as number from auditctl.event as e where e.target = p_target order by e.target_id limit 1)
        union all
        select (
            select e.target_id
            from auditctl.event as e
            where e.target = p_target and e.target_id > p.target_id
            order by e.target_id
            limit 1
        ), p.number + 1
        from probe as p
        where p.target_id is not null and p.number < 200
    ),

    near as (
        select c.target_id
        from unnest(array[
            lower(p_key), upper(p_key), initcap(p_key), btrim(p_key), btrim(p_key, '"'), ltrim(p_key, '0'), p_key || ' ', ' ' || p_key
        ]) as c (target_id)
        where exists (select from auditctl.event as e where e.target = p_target and e.target_id = c.target_id)
        union
        select p.target_id
        from probe as p
        where auditctl_internal.fold_key(p.target_id) = auditctl_internal.fold_key(p_key)
            -- A key of more columns that begins with the same value.
            or p.target_id ^@ '["' and p.target_id ^@ ('[' || to_json(p_key) || ',')
    )

    select n.target_id
    from near as n
    where not exists (
        select
        from auditctl.find_key(p_target, p_key) as f
        join auditctl.event as e on e.target = p_target and e.target_id = any (f.spellings)
    )
    order by n.target_id
    limit 3
$auditctl$;
revoke execute on function auditctl.near_keys from public;
grant execute on function auditctl.near_keys to auditctl_reader;
comment on function auditctl.near_keys is
    'Up to three keys in the log that are like a key which the log does not have: in another case, with other blanks, or of more columns';
