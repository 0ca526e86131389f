-- What was sealed of an event: its block, its place in it, its salts and commitments; docs/explanation/evidence.md has the bytes.

create or replace function auditctl_internal.unit_values(p_event auditctl.event) returns bytea[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array[
        convert_to(p_event.actor, 'UTF8'), inet_send(p_event.ip), convert_to(p_event.db_user, 'UTF8'), convert_to(p_event.target_id, 'UTF8'),
        convert_to(p_event.old_values::text, 'UTF8'), convert_to(p_event.new_values::text, 'UTF8'), convert_to(p_event.context::text, 'UTF8')
    ]
$auditctl$;
comment on function auditctl_internal.unit_values is 'The canonical bytes of the erasable columns of an event, in the order of its leaf';

create or replace function auditctl_internal.commitments(p_event auditctl.event, p_salts bytea) returns bytea[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(sha256(substr(p_salts, 16 * u.place::integer - 15, 16) || u.value) order by u.place)
    from unnest(auditctl_internal.unit_values(p_event)) with ordinality as u (value, place)
$auditctl$;
comment on function auditctl_internal.commitments is 'The commitments to the erasable columns of an event, with salts of 16 bytes each; null where a column is null';

create or replace function auditctl_internal.committed_leaf(p_event auditctl.event, p_commitments bytea[]) returns bytea
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select sha256(
        decode('00', 'hex') || convert_to('auditctl event v1' || chr(10), 'UTF8')
        || int8send(p_event.event_id) || timestamptz_send(p_event.occurred_at) || xid8send(p_event.xact_id)
        || (
            select string_agg(int4send(octet_length(convert_to(f.value, 'UTF8'))) || convert_to(f.value, 'UTF8'), '' order by f.place)
            from unnest(array[p_event.actor_kind::text, p_event.action::text, p_event.target]) with ordinality as f (value, place)
        )
        || set_byte(decode('00', 'hex'), 0, (
            select coalesce(sum(1 << (u.place::integer - 1)), 0)::integer from unnest(p_commitments) with ordinality as u (value, place) where u.value is not null
        ))
        || coalesce((select string_agg(u.value, '' order by u.place) from unnest(p_commitments) with ordinality as u (value, place)), '')
    )
$auditctl$;
comment on function auditctl_internal.committed_leaf is 'The leaf hash of an event with these commitments to its erasable columns';

create or replace function auditctl_internal.unit_salts(p_salt bytea) returns bytea
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select substr(sha512(p_salt || decode('01', 'hex')) || sha512(p_salt || decode('02', 'hex')), 1, 112)
$auditctl$;
comment on function auditctl_internal.unit_salts is 'The salts of the seven erasable columns, 16 bytes each, from the salt of the event';

create or replace function auditctl_internal.padded_key(p_secret bytea, p_pad integer) returns bytea
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_key bytea := p_secret || decode(repeat('00', 64 - octet_length(p_secret)), 'hex');
begin
    for v_place in 0..63 loop
        v_key := set_byte(v_key, v_place, get_byte(v_key, v_place) # p_pad);
    end loop;
    return v_key;
end
$auditctl$;
comment on function auditctl_internal.padded_key is 'The key of an HMAC of SHA-256 with its inner pad, 54, or its outer pad, 92';

create or replace function auditctl_internal.no_leaves(p_block auditctl.block) returns bytea
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select decode(repeat('00', ((p_block.events + 7) / 8)::integer), 'hex')
$auditctl$;
comment on function auditctl_internal.no_leaves is 'A zero bit for each event of a block';

create or replace function auditctl_internal.gone_leaves(p_block auditctl.block) returns bytea
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_gone bytea := auditctl_internal.no_leaves(p_block);
    v_leaves bytea;
begin
    for v_leaves in select p.leaves from auditctl.pruned as p where p.block = p_block.number and p.restored_in_xact is null loop
        v_gone := auditctl_internal.joined_leaves(v_gone, v_leaves);
    end loop;
    return v_gone;
end
$auditctl$;
comment on function auditctl_internal.gone_leaves is 'Which events of a block retention has deleted: bit n for the event at place n, from the lowest bit of the first byte';

create or replace function auditctl_internal.joined_leaves(p_some bytea, p_others bytea) returns bytea
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(
        string_agg(set_byte(decode('00', 'hex'), 0, case when p_others is null then 255 else get_byte(p_some, b) | get_byte(p_others, b) end), '' order by b), ''
    )
    from generate_series(0, octet_length(p_some) - 1) as b
$auditctl$;
comment on function auditctl_internal.joined_leaves is 'The events that are in one of two sets of bits; all if the second one is null';

create or replace function auditctl_internal.place_events(p_block auditctl.block, p_gone bytea)
returns table (event_id bigint, occurred_at timestamptz, target text, place bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with member as materialized (
        select e.event_id, e.occurred_at, e.target, row_number() over (order by e.event_id, e.occurred_at) as rank
        from auditctl.block_events(p_block, p_block.first_event_id, p_block.last_event_id) as e
    ),

    leaf as (
        select p as place, row_number() over (order by p) as rank from generate_series(0, p_block.events - 1) as p where get_bit(p_gone, p) = 0
    )

    select m.event_id, m.occurred_at, m.target, l.place from member as m join leaf as l using (rank)
$auditctl$;
comment on function auditctl_internal.place_events is
    'The events of a block that are in the log, with their places in it, from 0, given which are gone. If others are missing or were added, the places after them are wrong';

create or replace function auditctl_internal.leaf_hash(p_block auditctl.block, p_place bigint) returns bytea
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select substr(p_block.hashes, 32 * n.node::integer + 1, 32)
    from (
        select p_place as node, 0 as level, p_place as place where p_block.levels is null
        union all
        select i, l.level, sum(1::bigint << l.level) over (order by i) - (1::bigint << l.level)
        from generate_series(0, octet_length(p_block.levels) - 1) as i
        cross join lateral (select get_byte(p_block.levels, i) as level) as l
    ) as n
    where n.place = p_place and n.level = 0
$auditctl$;
comment on function auditctl_internal.leaf_hash is 'The stored hash of the leaf at a place of a block; null if it was deleted, and only a hash of several is left';

create or replace function auditctl_internal.find_leaves(p_events bigint[], p_times timestamptz[])
returns table (event_id bigint, occurred_at timestamptz, block bigint, place bigint)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_block auditctl.block;
begin
    for v_block in
        select b.*
        from auditctl.block as b
        where exists (
            select
            from unnest(p_events, p_times) as e (event_id, occurred_at)
            where e.event_id between b.first_event_id and b.last_event_id
                and (b.from_time is null or e.occurred_at >= b.from_time) and (b.until_time is null or e.occurred_at < b.until_time)
        )
        order by b.number
    loop
        return query
        select p.event_id, p.occurred_at, v_block.number, p.place
        from auditctl_internal.place_events(v_block, auditctl_internal.gone_leaves(v_block)) as p
        join unnest(p_events, p_times) as e (event_id, occurred_at) on e.event_id = p.event_id and e.occurred_at = p.occurred_at;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.find_leaves is 'The blocks of those events that were sealed, and their places there, from 0';

create or replace function auditctl_internal.event_salts(p_event auditctl.event, p_block auditctl.block, p_place bigint) returns bytea
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl_internal.unit_salts(
        case
            when p_block.secret is null then substr(p_block.salts, 32 * p_place::integer + 1, 32)
            else auditctl.event_salt(p_block.secret, p_event.event_id, p_event.occurred_at)
        end
    )
$auditctl$;
comment on function auditctl_internal.event_salts is 'The salts of the erasable columns of an event that was never erased, at a place of its block';

create or replace function auditctl_internal.erase_units(
    p_erasure auditctl.erasure, p_event auditctl.event, p_former auditctl.erasure, p_salts bytea, p_leaf bytea
) returns auditctl.erasure
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_erasure auditctl.erasure := p_erasure;
    v_salts bytea := p_salts;
    v_commitments bytea[] := auditctl_internal.commitments(p_event, p_salts);
    v_remaining constant bytea[] := auditctl_internal.unit_values(auditctl_internal.erased_event(p_event, p_erasure.places));
    v_unit text;
    v_number integer := 0;
begin
    foreach v_unit in array coalesce(p_former.units, '{}') loop
        v_commitments[array_position(auditctl_internal.erasable_columns(), v_unit)]
            := substr(p_former.commitments, 32 * array_position(p_former.units, v_unit) - 31, 32);
    end loop;
    if auditctl_internal.committed_leaf(p_event, v_commitments) is distinct from p_leaf then
        raise exception 'event % is not as it was sealed in block %', p_event.event_id, v_erasure.block
            using errcode = 'data_corrupted', hint = 'Nothing was erased. Find out what was altered with: auditctl verify';
    end if;
    v_erasure.units := '{}';
    v_erasure.commitments := '';
    v_erasure.remaining := '';
    foreach v_unit in array auditctl_internal.erasable_columns() loop
        v_number := v_number + 1;
        continue when v_unit <> all (coalesce(p_former.units, '{}'))
            and v_remaining[v_number] is not distinct from (auditctl_internal.unit_values(p_event))[v_number];
        -- 122 of its 128 bits are random.
        v_salts := overlay(v_salts placing uuid_send(gen_random_uuid()) from 16 * v_number - 15);
        v_erasure.units := v_erasure.units || v_unit;
        v_erasure.commitments := v_erasure.commitments || v_commitments[v_number];
        v_erasure.remaining := v_erasure.remaining
            || coalesce(sha256(substr(v_salts, 16 * v_number - 15, 16) || v_remaining[v_number]), decode(repeat('00', 32), 'hex'));
    end loop;
    v_erasure.salts := v_salts;
    return v_erasure;
end
$auditctl$;
comment on function auditctl_internal.erase_units is
    'An erasure with what proves the rest of a sealed event: the columns it touches, new salts for them, their sealed commitments, and commitments to what remains. Takes the former erasure of the event, its salts and its leaf; raises if the event is not as it was sealed';

create or replace function auditctl_internal.erase_leaf(p_erasure auditctl.erasure, p_event auditctl.event) returns auditctl.erasure
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_erasure auditctl.erasure := p_erasure;
    v_former auditctl.erasure;
    v_block auditctl.block;
begin
    -- A place that was looked up before is proved by the leaf.
    if num_nulls(v_erasure.block, v_erasure.place) > 0 then
        select f.block, f.place into v_erasure.block, v_erasure.place
        from auditctl_internal.find_leaves(array[p_event.event_id], array[p_event.occurred_at]) as f;
    end if;
    if v_erasure.block is null then
        return v_erasure;
    end if;
    select b.* into v_block from auditctl.block as b where b.number = v_erasure.block;
    select e.* into v_former
    from auditctl.erasure as e
    where e.occurred_at = p_event.occurred_at and e.event_id = p_event.event_id and e.salts is not null
    order by e.erased_in desc
    limit 1;
    return auditctl_internal.erase_units(
        v_erasure, p_event, v_former, coalesce(v_former.salts, auditctl_internal.event_salts(p_event, v_block, v_erasure.place)),
        auditctl_internal.leaf_hash(v_block, v_erasure.place)
    );
end
$auditctl$;
comment on function auditctl_internal.erase_leaf is
    'Completes the erasure of an event of the table by what proves the rest of it, if a block has sealed it. Raises if the event is not as it was sealed';

create or replace function auditctl_internal.erasure_digest(p_erasure auditctl.erasure) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select encode(
        sha256(convert_to(array_to_string(p_erasure.units, ',') || chr(10), 'UTF8') || p_erasure.commitments || p_erasure.remaining), 'hex'
    )
$auditctl$;
comment on function auditctl_internal.erasure_digest is
    'The SHA-256, in hex, by which the event of an erasure stands for it: over units, with commas between, a line feed, commitments and remaining; null if the event was not sealed';
