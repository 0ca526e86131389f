-- What comes back to a block with events that are restored from an archive: only what the hashes that stayed prove.

create or replace function auditctl_internal.restored_leaves(p_block auditctl.block) returns bytea
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_leaves bytea := auditctl_internal.no_leaves(p_block);
    v_some bytea;
begin
    for v_some in
        select p.leaves from auditctl.pruned as p where p.block = p_block.number and p.restored_in_xact = pg_current_xact_id_if_assigned()
    loop
        v_leaves := auditctl_internal.joined_leaves(v_leaves, v_some);
    end loop;
    return v_leaves;
end
$auditctl$;
comment on function auditctl_internal.restored_leaves is 'Which events of a block this transaction brings back, as bits';

create or replace function auditctl_internal.is_restored(p_old auditctl.block, p_new auditctl.block) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_restored constant bytea := auditctl_internal.restored_leaves(p_old);
    v_gone constant bytea := auditctl_internal.gone_leaves(p_old);
    v_nodes record;
begin
    if bit_count(v_restored) = 0 or p_old.secret is not null or not auditctl_internal.is_same_block(p_old, p_new) then
        return false;
    end if;
    -- The new hashes lead to those that the tree has had since.
    v_nodes := auditctl_internal.compact_hashes(p_new, auditctl_internal.joined_leaves(v_gone, v_restored));
    if (v_nodes.hashes, v_nodes.levels) is distinct from (p_old.hashes, p_old.levels) then
        return false;
    end if;
    -- Salts and check bytes of other events stay as they are. If those that come back are wrong, verify finds it.
    if auditctl_internal.remaining_checks(p_new, v_restored)
        is distinct from coalesce(p_old.checks, decode(repeat('00', (13 * p_old.events)::integer), 'hex')) then
        return false;
    end if;
    if p_new.secret is null then
        return octet_length(p_new.salts) = 32 * p_new.events
            and auditctl_internal.punctured_salts(p_new, v_gone, v_restored)
            = coalesce(p_old.salts, decode(repeat('00', (32 * p_old.events)::integer), 'hex'));
    end if;
    -- The secret shows the salts of all events.
    return p_new.salts is null and p_new.record::jsonb ->> 'secret_sha256' = encode(sha256(p_new.secret), 'hex')
        and bit_count(v_gone) = 0 and bit_count(auditctl_internal.erased_leaves(p_new)) = 0;
end
$auditctl$;
comment on function auditctl_internal.is_restored is
    'Whether a change of a block only brings back what belongs to events that this transaction restores, and the hashes that stayed prove it';
