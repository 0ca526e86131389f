-- Removes the salts of events from a block: with the secret of the block, they could be computed again.

create or replace function auditctl_internal.punctured_salts(p_block auditctl.block, p_gone bytea, p_removed bytea) returns bytea
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_zeros constant bytea := decode(repeat('00', 32), 'hex');
    v_inner bytea;
    v_outer bytea;
    -- Read once, and not for each event.
    v_salts bytea := p_block.salts || '';
begin
    if p_block.secret is null then
        return (
            select string_agg(case get_bit(p_removed, p) when 0 then substr(v_salts, 32 * p::integer + 1, 32) else v_zeros end, '' order by p)
            from generate_series(0, p_block.events - 1) as p
        );
    end if;
    v_inner := auditctl_internal.padded_key(p_block.secret, 54);
    v_outer := auditctl_internal.padded_key(p_block.secret, 92);
    return (
        select string_agg(
            case
                when e.event_id is null or get_bit(p_removed, p) = 1 then v_zeros
                else sha256(v_outer || sha256(v_inner || int8send(e.event_id) || timestamptz_send(e.occurred_at)))
            end, '' order by p
        )
        from generate_series(0, p_block.events - 1) as p
        left join auditctl_internal.place_events(p_block, p_gone) as e on e.place = p
    );
end
$auditctl$;
comment on function auditctl_internal.punctured_salts is
    'The salts of a block''s events, 32 bytes each, with zeros for those to be removed; p_gone says which are not in the log any more';

create or replace function auditctl_internal.erased_leaves(p_block auditctl.block) returns bytea
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_leaves bytea := auditctl_internal.no_leaves(p_block);
    v_place bigint;
begin
    for v_place in select distinct e.place from auditctl.erasure as e where e.block = p_block.number and e.place < p_block.events loop
        v_leaves := set_bit(v_leaves, v_place, 1);
    end loop;
    return v_leaves;
end
$auditctl$;
comment on function auditctl_internal.erased_leaves is 'Which events of a block have erased values, as bits';

create or replace function auditctl_internal.puncture_blocks() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    update auditctl.block as b
    set
        secret = null,
        salts = auditctl_internal.punctured_salts(b, auditctl_internal.gone_leaves(b), auditctl_internal.erased_leaves(b))
    where b.number in (select e.block from auditctl.erasure as e where e.xact_id = pg_current_xact_id_if_assigned())
        -- One whose events are all archived or deleted has no salts any more.
        and num_nonnulls(b.secret, b.salts) > 0;
    return null;
end
$auditctl$;
comment on function auditctl_internal.puncture_blocks is
    'Replaces the secret of each block of which this transaction erases values by the salts of its other events';
