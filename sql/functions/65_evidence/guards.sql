-- Write-once for evidence, as for the log: rows are added, and go only as these functions say.

create or replace function auditctl_internal.guard_evidence() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% on %.% refused: evidence is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Evidence is only ever added.';
end
$auditctl$;
comment on function auditctl_internal.guard_evidence is 'Raises UA001 on every update, delete and truncate of evidence';

create or replace function auditctl_internal.is_same_block(p_old auditctl.block, p_new auditctl.block) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select (
        p_old.number, p_old.incarnation, p_old.first_leaf, p_old.events, p_old.previous_snapshot::text, p_old.snapshot::text, p_old.from_time,
        p_old.until_time, p_old.is_last_part, p_old.first_event_id, p_old.last_event_id, p_old.sealed_at, p_old.record, p_old.state
    ) is not distinct from (
        p_new.number, p_new.incarnation, p_new.first_leaf, p_new.events, p_new.previous_snapshot::text, p_new.snapshot::text, p_new.from_time,
        p_new.until_time, p_new.is_last_part, p_new.first_event_id, p_new.last_event_id, p_new.sealed_at, p_new.record, p_new.state
    )
$auditctl$;
comment on function auditctl_internal.is_same_block is 'Whether two states of a block differ at most in what proves its events';

create or replace function auditctl_internal.is_punctured(p_old auditctl.block, p_new auditctl.block) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What it says stays: only salts go, and of deleted events the hashes that nothing needs. They fit the tree, or verify says so.
    select
        p_new.secret is null
        and auditctl_internal.is_same_block(p_old, p_new)
        and (
            exists (select from auditctl.pruned as r where r.block = p_old.number and r.xact_id = pg_current_xact_id())
            and octet_length(p_new.hashes) = 32 * coalesce(octet_length(p_new.levels), p_old.events + 1)
            and coalesce(octet_length(p_new.salts) = 32 * p_old.events, true) and coalesce(octet_length(p_new.checks) = octet_length(p_old.checks), true)
            or exists (select from auditctl.erasure as r where r.block = p_old.number and r.xact_id = pg_current_xact_id())
            and p_new.salts
                = auditctl_internal.punctured_salts(p_old, auditctl_internal.gone_leaves(p_old), auditctl_internal.erased_leaves(p_old))
            and (p_new.hashes, p_new.levels, p_new.checks) is not distinct from (p_old.hashes, p_old.levels, p_old.checks)
        )
$auditctl$;
comment on function auditctl_internal.is_punctured is
    'Whether a change of a block only removes what an erasure or a deletion that this transaction has announced leaves no use for';

create or replace function auditctl_internal.guard_block() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if tg_op = 'UPDATE' and (auditctl_internal.is_punctured(old, new) or auditctl_internal.is_restored(old, new)) then
        return new;
    end if;
    raise exception '% on %.% refused: evidence is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Evidence is only ever added.';
end
$auditctl$;
comment on function auditctl_internal.guard_block is
    'Raises UA001 on every change of auditctl.block but what an announced erasure or deletion of events removes, and what brings such events back';

create or replace function auditctl_internal.are_signatures(p_lines text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select p_lines ~ E'^(\u2014 [^ \n+]+ [A-Za-z0-9+/]+=*\n)+$'
$auditctl$;
comment on function auditctl_internal.are_signatures is 'Whether a text is lines of signatures, as a signed note ends with';

create or replace function auditctl_internal.guard_checkpoint() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if tg_op = 'DELETE' and not old.is_kept and exists (
        select
        from auditctl.checkpoint as c
        where c.tree_size > old.tree_size and timezone('UTC', c.made_at)::date = timezone('UTC', old.made_at)::date
    ) then
        return old;
    end if;
    if tg_op = 'UPDATE' and new.note ^@ old.note and new.is_kept
        and (new.tree_size, new.made_at) is not distinct from (old.tree_size, old.made_at)
        and auditctl_internal.are_signatures(substr(new.note, length(old.note) + 1)) then
        return new;
    end if;
    raise exception '% on %.% refused: evidence is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001',
        hint = 'A checkpoint only gets signatures of witnesses, and is deleted only when a later one of the same day replaces it.';
end
$auditctl$;
comment on function auditctl_internal.guard_checkpoint is
    'Raises UA001 on every change of auditctl.checkpoint but more signatures, and the delete of one that a later one of its day replaces';
