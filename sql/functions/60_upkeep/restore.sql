-- How auditctl restore-archive brings a month back. Only the owner may insert events, so the caller acts as auditctl_owner.

create or replace function auditctl_internal.begin_restore(
    p_month text, out partition regclass, out rows bigint, out fingerprint numeric
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month constant timestamp := to_date(p_month, 'YYYY-MM');
begin
    -- Upkeep and another archiver wait until this transaction ends.
    begin
        perform from auditctl.maintenance for update nowait;
    exception when lock_not_available then
        raise exception 'auditctl maintain is running' using errcode = 'lock_not_available', hint = 'Run it again when that has ended.';
    end;
    if auditctl_internal.is_mirrored() or exists (select from auditctl_internal.stray_months() as s (m) where s.m = v_month) then
        raise exception 'events of % are in the DEFAULT partition', p_month
            using errcode = 'object_not_in_prerequisite_state', hint = 'Move them first: auditctl maintain';
    end if;
    -- A new table is filled before it becomes part of the log, so that nobody waits.
    partition := coalesce(
        auditctl_internal.log_month(p_month), auditctl_internal.make_month(auditctl_internal.month_table(v_month), v_month, null)
    );
    select f.rows, f.fingerprint into rows, fingerprint from auditctl_internal.fingerprint(partition) as f;
end
$auditctl$;
comment on function auditctl_internal.begin_restore is
    'The table that the events of a month are to be restored into, the partition or a new table, with the events that it has now and their fingerprint';

create or replace function auditctl_internal.end_restore(
    p_archive auditctl.archived_month, p_partition regclass, p_rows bigint, p_fingerprint numeric, p_location text,
    out rows bigint, out has_same_hot_events boolean
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month constant timestamp := to_date(p_archive.month, 'YYYY-MM');
    v_now record;
    v_data constant jsonb := jsonb_build_object(
        'month', p_archive.month, 'rows', p_archive.rows - p_archive.hot_rows, 'location', p_location, 'manifest', p_archive.manifest
    );
begin
    select f.* into v_now from auditctl_internal.fingerprint(p_partition) as f;
    if (v_now.rows - p_rows, v_now.fingerprint - p_fingerprint)
        is distinct from (p_archive.rows - p_archive.hot_rows, p_archive.fingerprint - p_archive.hot_fingerprint)
    then
        raise exception 'the restored events of % are not those that were archived', p_archive.month
            using errcode = 'data_corrupted', hint = 'Nothing was restored. Compare the files with a copy of the archive.';
    end if;
    if auditctl_internal.log_month(p_archive.month) is null then
        perform auditctl_internal.attach_month(p_partition, v_month, 'auditctl.event');
        perform auditctl_internal.enter_month(v_month);
        perform auditctl_internal.record_upkeep(
            p_partition::text, 'partition created', v_data || jsonb_build_object('step', 'create', 'partition', p_partition::text)
        );
    end if;
    execute format('analyze %s', p_partition);
    -- Its large transactions are counted with all others by the next run of upkeep.
    delete from auditctl.transaction_count;
    update auditctl.archived_month set ended_at = now(), restored_at = now() where archive_id = p_archive.archive_id;
    perform auditctl_internal.insert_event('auditctl.archive', p_archive.month, 'EVENT', null, v_data, 'month restored');
    rows := p_archive.rows - p_archive.hot_rows;
    select (f.rows, f.fingerprint) is not distinct from (p_archive.hot_rows, p_archive.hot_fingerprint) into has_same_hot_events
    from auditctl_internal.fingerprint(p_partition, auditctl_internal.hot_condition(v_month)) as f;
end
$auditctl$;
comment on function auditctl_internal.end_restore is
    'Makes a restored month a part of the log, and records it, if its table has the archived events but the hot ones beside those it had before; returns how many these are, and whether the hot ones are still as they were archived';
