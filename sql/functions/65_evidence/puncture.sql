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

create or replace function auditctl_internal.puncture_block(p_number bigint, p_place bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.block as b
    set secret = null, salts = auditctl_internal.punctured_salts(b, auditctl_internal.gone_leaves(b), set_bit(auditctl_internal.no_leaves(b), p_place, 1))
    where b.number = p_number
$auditctl$;
comment on function auditctl_internal.puncture_block is 'Replaces the secret of a block by the salts of its events, without that at one place';
