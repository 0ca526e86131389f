-- Write-once for evidence, as for the log: rows are added, and go only as these functions say.

create or replace function auditctl_internal.guard_evidence() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% on %.% refused: evidence is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Evidence is only ever added, by auditctl seal.';
end
$auditctl$;
comment on function auditctl_internal.guard_evidence is 'Raises UA001 on every update, delete and truncate of evidence';

create or replace function auditctl_internal.guard_block() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% on %.% refused: evidence is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Evidence is only ever added, by auditctl seal.';
end
$auditctl$;
comment on function auditctl_internal.guard_block is 'Raises UA001 on every update, delete and truncate of auditctl.block';

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
    raise exception '% on %.% refused: evidence is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'A checkpoint is deleted only when a later one of the same day replaces it.';
end
$auditctl$;
comment on function auditctl_internal.guard_checkpoint is
    'Raises UA001 on every change of auditctl.checkpoint but the delete of one that a later one of its day replaces';
