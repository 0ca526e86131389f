-- What remains of sealed events that retention deletes: which they were, and the hashes that the others' proofs need.

create or replace function auditctl_internal.merge_nodes(
    p_level integer, inout p_hashes bytea[], inout p_levels integer[], inout p_starts bigint[], inout p_gone boolean[]
)
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with node as (
        select
            n.*, lead(n.hash) over nodes as next_hash,
            n.level = p_level and n.is_gone and n.start % (2::bigint << p_level) = 0
            and coalesce(lead(n.level) over nodes = p_level and lead(n.is_gone) over nodes, false) as is_left
        from unnest(p_hashes, p_levels, p_starts, p_gone) with ordinality as n (hash, level, start, is_gone, number)
        window nodes as (order by n.number)
    ),

    paired as (
        select n.*, coalesce(lag(n.is_left) over (order by n.number), false) as is_right from node as n
    )

    select
        array_agg(case when n.is_left then sha256(decode('01', 'hex') || n.hash || n.next_hash) else n.hash end order by n.number),
        array_agg(case when n.is_left then n.level + 1 else n.level end order by n.number),
        array_agg(n.start order by n.number),
        array_agg(n.is_gone order by n.number)
    from paired as n
    where not n.is_right
$auditctl$;
comment on function auditctl_internal.merge_nodes is 'Replaces each pair of siblings of a level that are both gone by the hash of their parent';

create or replace function auditctl_internal.compact_hashes(p_block auditctl.block, p_gone bytea, out hashes bytea, out levels bytea)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_hashes constant bytea := p_block.hashes || '';
    v_levels constant bytea := p_block.levels || '';
    v_nodes record;
    v_before integer := 0;
begin
    -- A gone node above the leaves has only gone leaves below.
    select
        array_agg(substr(v_hashes, 32 * n.number + 1, 32) order by n.number) as p_hashes,
        array_agg(n.level order by n.number) as p_levels,
        array_agg(p_block.first_leaf + n.place order by n.number) as p_starts,
        array_agg(n.level > 0 or (n.place < p_block.events and get_bit(p_gone, n.place) = 1) order by n.number) as p_gone
    into v_nodes
    from (
        select l.number, l.level, sum(1::bigint << l.level) over (order by l.number)::bigint - (1::bigint << l.level) as place
        from (
            select i as number, coalesce(get_byte(v_levels, i), 0) as level from generate_series(0, octet_length(v_hashes) / 32 - 1) as i
        ) as l
    ) as n;
    for v_level in 0..62 loop
        v_before := cardinality(v_nodes.p_hashes);
        v_nodes := auditctl_internal.merge_nodes(v_level, v_nodes.p_hashes, v_nodes.p_levels, v_nodes.p_starts, v_nodes.p_gone);
        exit when cardinality(v_nodes.p_hashes) = v_before;
    end loop;
    select string_agg(n.hash, '' order by n.number), string_agg(set_byte(decode('00', 'hex'), 0, n.level), '' order by n.number)
    into hashes, levels
    from unnest(v_nodes.p_hashes, v_nodes.p_levels) with ordinality as n (hash, level, number);
    if octet_length(levels) = p_block.events + 1 then
        levels := null;
    end if;
end
$auditctl$;
comment on function auditctl_internal.compact_hashes is
    'The hashes of a block, from left to right, in which whole subtrees of deleted events are one hash, and their levels; null if all are leaves';

create or replace function auditctl_internal.remaining_checks(p_block auditctl.block, p_gone bytea) returns bytea
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- Read once, and not for each event.
    v_checks constant bytea := p_block.checks || '';
begin
    return (
        select string_agg(case get_bit(p_gone, p) when 0 then substr(v_checks, 13 * p::integer + 1, 13) else decode(repeat('00', 13), 'hex') end, '' order by p)
        from generate_series(0, p_block.events - 1) as p
    );
end
$auditctl$;
comment on function auditctl_internal.remaining_checks is 'The check bytes of a block, with zeros for the events that are gone';

create or replace function auditctl_internal.prune_block(
    p_block auditctl.block, p_condition text, p_from timestamptz, p_to timestamptz, p_announced_in bigint
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before constant bytea := auditctl_internal.gone_leaves(p_block);
    v_leaves bytea;
    v_gone bytea;
    v_events bigint;
    v_is_all boolean;
    v_nodes record;
begin
    execute format(
        'with gone as materialized (select e.place from auditctl_internal.place_events($1, $2) as e '
        'where e.occurred_at >= $3 and e.occurred_at < $4 and (%s)), '
        'byte as (select g.place / 8 as number, sum(1 << (g.place %% 8)::integer)::integer as bits from gone as g group by 1) '
        'select (select count(*) from gone), '
        'string_agg(set_byte(decode(''00'', ''hex''), 0, coalesce(b.bits, 0)), '''' order by n) '
        'from generate_series(0, octet_length($2) - 1) as n left join byte as b on b.number = n', p_condition
    ) into v_events, v_leaves using p_block, v_before, p_from, p_to;
    if v_events = 0 then
        return 0;
    end if;
    v_is_all := v_events = p_block.events;
    v_gone := auditctl_internal.joined_leaves(v_before, v_leaves);
    insert into auditctl.pruned (block, announced_in, leaves) values (p_block.number, p_announced_in, case when not v_is_all then v_leaves end);
    v_nodes := auditctl_internal.compact_hashes(p_block, v_gone);
    v_is_all := bit_count(v_gone) = p_block.events;
    update auditctl.block as b
    set
        secret = null, salts = case when not v_is_all then auditctl_internal.punctured_salts(b, v_before, v_gone) end,
        hashes = v_nodes.hashes, levels = v_nodes.levels, checks = case when not v_is_all then auditctl_internal.remaining_checks(b, v_gone) end
    where b.number = p_block.number;
    return v_events;
end
$auditctl$;
comment on function auditctl_internal.prune_block is
    'Notes which events of a block are deleted in this transaction, and removes from the block what only they needed; returns how many';

create or replace function auditctl_internal.prune_leaves(
    p_month timestamp, p_condition text, p_data jsonb, p_announced_in bigint
) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_from constant timestamptz := auditctl_internal.utc(p_month);
    v_to constant timestamptz := auditctl_internal.utc(p_month + interval '1 month');
    v_block auditctl.block;
    v_events bigint := 0;
begin
    for v_block in
        select b.*
        from auditctl.block as b
        where b.first_event_id <= (p_data ->> 'last_event_id')::bigint and b.last_event_id >= (p_data ->> 'first_event_id')::bigint
            and (b.from_time is null or b.from_time < v_to) and (b.until_time is null or b.until_time > v_from)
            and not exists (select from auditctl.pruned as p where p.block = b.number and p.leaves is null and p.restored_in_xact is null)
        order by b.number
    loop
        v_events := v_events + auditctl_internal.prune_block(v_block, p_condition, v_from, v_to, p_announced_in);
    end loop;
    return (
        select jsonb_build_object(
            'events', v_events, 'blocks', count(*), 'digest', encode(
                sha256(coalesce(string_agg(int8send(p.block) || int4send(coalesce(octet_length(p.leaves), -1)) || coalesce(p.leaves, ''), '' order by p.block), '')), 'hex'
            )
        )
        from auditctl.pruned as p
        where p.announced_in = p_announced_in
        having count(*) > 0
    );
end
$auditctl$;
comment on function auditctl_internal.prune_leaves is
    'Does so for all blocks of the expired events of a month. Returns what announces it: the number of sealed events and of blocks, and the SHA-256 over block (8 bytes), length of leaves (4 bytes, -1 for null) and leaves of each row of auditctl.pruned; null if none was sealed';

create or replace function auditctl_internal.guard_pruned() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if tg_op = 'INSERT' then
        -- What a dump holds is restored as it was.
        if auditctl_internal.displacement() is null then
            new.xact_id := pg_current_xact_id();
            new.restored_in_xact := null;
        end if;
        return new;
    end if;
    -- Once, and for good: from then on the events must be there.
    if tg_op = 'UPDATE' and old.restored_in_xact is null and new.restored_in_xact = pg_current_xact_id()
        and to_jsonb(new) - 'restored_in_xact' = to_jsonb(old) - 'restored_in_xact' then
        return new;
    end if;
    raise exception '% on %.% refused: evidence is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Deleted events are noted by auditctl maintain.';
end
$auditctl$;
comment on function auditctl_internal.guard_pruned is 'Notes the transaction of each row of auditctl.pruned; raises UA001 on every change but that its events are brought back, and on every delete and truncate';
