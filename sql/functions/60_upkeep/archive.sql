-- What auditctl archive records, and how upkeep drops the months that are in files: only while the table has the very
-- events that were archived.

create or replace function auditctl_internal.guard_archived_month() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_times constant text[] := array['dropped_at', 'ended_at', 'restored_at', 'expired_at', 'deleted_at'];
begin
    -- A time is set once, and nothing else changes; but the fingerprint goes with the end: its difference from that of a later row
    -- of the month would tell values that were erased in between, where they can be guessed.
    if tg_op = 'UPDATE' and to_jsonb(new) - v_times = to_jsonb(old) - v_times
        and to_jsonb(new) @> jsonb_strip_nulls(to_jsonb(old))
    then
        new.fingerprint := case when new.ended_at is null then new.fingerprint else 0 end;
        return new;
    end if;
    raise exception '% on %.% refused: what was archived stays on record', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Months are archived by auditctl archive, and dropped by auditctl maintain.';
end
$auditctl$;
comment on function auditctl_internal.guard_archived_month is
    'Raises UA001 on every change of auditctl.archived_month but the times of its drop, its end, its return and its deletion, and on every delete and truncate';

create or replace function auditctl_internal.log_month(p_month text) returns regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select m.partition from auditctl_internal.month_partitions() as m where to_char(m.first, 'YYYY-MM') = p_month
$auditctl$;
comment on function auditctl_internal.log_month is 'The partition of a month such as 2026-11; null if the log has none';

create or replace function auditctl_internal.event_term() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Column by column, as a whole event could be too large for a text. No text of jsonb is a dash.
    select 'hashtextextended(coalesce(e.context::text, ''-'') collate "C", '
        'hashtextextended(coalesce(e.new_values::text, ''-'') collate "C", hashtextextended(coalesce(e.old_values::text, ''-'') collate "C", '
        'hashtextextended(row(e.event_id, e.occurred_at, e.xact_id, e.actor_kind, e.action, e.actor, e.ip, e.db_user, e.target, e.target_id)::text '
        'collate "C", 0))))'
$auditctl$;
comment on function auditctl_internal.event_term is 'The expression of what an event e adds to a fingerprint, which depends on the settings of auditctl_internal.fingerprint';

create or replace function auditctl_internal.fingerprint_of(p_events auditctl.event []) returns numeric
language plpgsql stable
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_fingerprint numeric;
begin
    execute format('select coalesce(sum(%s), 0) from unnest($1) as e', auditctl_internal.event_term()) into v_fingerprint using p_events;
    return v_fingerprint;
end
$auditctl$;
comment on function auditctl_internal.fingerprint_of is 'What events add to the fingerprint of their month';

create or replace function auditctl_internal.fingerprint(
    p_relation regclass, p_condition text default 'true', out rows bigint, out fingerprint numeric
)
language plpgsql stable strict
set search_path = pg_catalog, pg_temp
-- Times as text must be the same in every session.
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set jit = off
as $auditctl$
begin
    execute format('select count(*), coalesce(sum(%s), 0) from only %s as e where %s', auditctl_internal.event_term(), p_relation, p_condition)
    into rows, fingerprint;
end
$auditctl$;
comment on function auditctl_internal.fingerprint is 'The number of those events e of a partition that satisfy a condition, and a sum over their columns as text, whatever their order';

create or replace function auditctl.month_fingerprint(p_month text, out rows bigint, out fingerprint numeric)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select f.rows, f.fingerprint from auditctl_internal.fingerprint(auditctl_internal.log_month(p_month)) as f
$auditctl$;
revoke execute on function auditctl.month_fingerprint from public;
grant execute on function auditctl.month_fingerprint to auditctl_reader;
comment on function auditctl.month_fingerprint is 'The number of events of a month such as 2026-11, and their fingerprint; nulls if the log has no partition for it';

create or replace function auditctl.begin_archiving() returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $auditctl$
begin
    -- As auditctl.begin_sealing: nobody without a privilege on the table can take a lock that is in the way.
    lock table auditctl.archived_month in share update exclusive mode;
    perform set_config('idle_in_transaction_session_timeout', '0', true);
    return null;
exception when lock_not_available or deadlock_detected then
    return coalesce((auditctl_internal.lock_holders(array['auditctl.archived_month'::regclass::oid]))[1], 'a process that has ended');
end
$auditctl$;
revoke execute on function auditctl.begin_archiving from public;
grant execute on function auditctl.begin_archiving to auditctl_admin;
comment on function auditctl.begin_archiving is
    'Makes the caller''s transaction the one that archives, until it ends; returns null, or which process does so already';

create or replace function auditctl_internal.still_month(p_month text) returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $auditctl$
declare
    v_partition constant regclass := auditctl_internal.log_month(p_month);
begin
    if v_partition is null then
        return null;
    end if;
    if auditctl_internal.utc(to_date(p_month, 'YYYY-MM') + interval '1 month') > now() then
        raise exception 'the month % is not over', p_month
            using errcode = 'object_not_in_prerequisite_state', hint = 'Archive it when it is.';
    end if;
    -- A transaction that has written to the month holds its lock until it ends, also one that is prepared.
    execute format('lock table only %s in share mode', v_partition);
    return v_partition;
exception when lock_not_available then
    raise exception '% is in use by a transaction that may write to it%', v_partition,
        coalesce(' (' || (auditctl_internal.lock_holders(array[v_partition::oid]))[1] || ')', '')
        using errcode = 'lock_not_available', hint = 'Nothing was lost. Archive it when that transaction has ended.';
end
$auditctl$;
comment on function auditctl_internal.still_month is
    'The partition of a month that is over, to which nobody else writes until the transaction ends; null if the log has none';

create or replace function auditctl.begin_month(p_month text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if auditctl_internal.still_month(p_month) is null then
        return false;
    end if;
    if not auditctl_internal.has_cold_events(p_month) then
        return false;
    end if;
    if exists (select from auditctl.archived_month as a where a.month = p_month and a.ended_at is null and a.dropped_at is not null) then
        raise exception 'the log has events of % that came after the month was archived and dropped', p_month
            using errcode = 'object_not_in_prerequisite_state', hint = format('Bring the others back first, with restore-archive %s.', p_month);
    end if;
    -- Upkeep must not drop the month while its files are written anew.
    update auditctl.archived_month set ended_at = now() where month = p_month and ended_at is null;
    return true;
end
$auditctl$;
revoke execute on function auditctl.begin_month from public;
grant execute on function auditctl.begin_month to auditctl_admin;
comment on function auditctl.begin_month is
    'Makes sure that a month is over and no transaction may still write to it, and that upkeep does not drop it; false if the log has no events of it but hot ones';

create or replace function auditctl.record_archive(
    p_month text, p_location text, p_database text, p_rows bigint, p_fingerprint numeric, p_content text, p_manifest text,
    p_is_proved boolean
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_partition constant regclass := auditctl_internal.still_month(p_month);
    v_month constant timestamp := to_date(p_month, 'YYYY-MM');
    v_now record;
    v_hot record;
    v_event_id bigint;
begin
    if octet_length(p_location) > 4096 or octet_length(p_database) > 63 then
        raise exception 'the location of an archive is limited to 4 kB' using errcode = 'invalid_parameter_value';
    end if;
    if v_partition is null then
        raise exception 'the log has no partition for %', p_month using errcode = 'invalid_parameter_value';
    end if;
    select f.* into v_now from auditctl_internal.fingerprint(v_partition) as f;
    if (v_now.rows, v_now.fingerprint) is distinct from (p_rows, p_fingerprint) then
        raise exception 'events of % were added or changed while it was archived', p_month
            using errcode = 'serialization_failure', hint = 'Nothing was lost, and nothing is dropped. Run auditctl archive again.';
    end if;
    v_event_id := auditctl_internal.insert_event(
        'auditctl.archive', p_month, 'EVENT', null, jsonb_build_object(
            'month', p_month, 'rows', p_rows, 'location', p_location, 'database', p_database, 'manifest', p_manifest, 'content', p_content
        ), 'month archived'
    );
    select f.* into v_hot from auditctl_internal.fingerprint(v_partition, auditctl_internal.hot_condition(v_month)) as f;
    insert into auditctl.archived_month (
        month, location, database, rows, fingerprint, hot_rows, hot_fingerprint, content, manifest, targets, is_proved, event_id
    )
    values (
        p_month, p_location, p_database, p_rows, p_fingerprint, v_hot.rows, v_hot.fingerprint, p_content, p_manifest,
        array(select t.target from auditctl_internal.partition_targets(v_month) as t (target) where not auditctl.stays_hot(t.target)),
        p_is_proved, v_event_id
    );
    return v_event_id;
end
$auditctl$;
revoke execute on function auditctl.record_archive from public;
grant execute on function auditctl.record_archive to auditctl_admin;
comment on function auditctl.record_archive is
    'Records that a month is in files, with digests of its events and manifest, and lets upkeep drop it; raises if its events differ from the given fingerprint. Returns the event_id';

create or replace function auditctl_internal.archived_partitions() returns table (partition regclass, first timestamp, archive_id bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select p.partition, p.first, a.archive_id
    from auditctl_internal.month_partitions() as p
    join auditctl.archived_month as a on a.month = to_char(p.first, 'YYYY-MM')
    where
        a.dropped_at is null and a.ended_at is null
        and a.month <> all (string_to_array(coalesce(current_setting('auditctl.kept_months', true), ''), ','))
    order by p.first
$auditctl$;
comment on function auditctl_internal.archived_partitions is
    'The months of the log that are in files, and that upkeep drops, oldest first; not those that the setting auditctl.kept_months names, such as 2026-04,2026-05';

create or replace function auditctl_internal.changed_since(p_archive auditctl.archived_month, p_partition regclass) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A log that was not sealed when the month was archived may be by now: the proofs of its events are not in the files then.
    select
        (f.rows, f.fingerprint) is distinct from (p_archive.rows, p_archive.fingerprint)
        or not p_archive.is_proved and exists (select from auditctl.block)
    from auditctl_internal.fingerprint(p_partition) as f
$auditctl$;
comment on function auditctl_internal.changed_since is 'Whether a partition does not have the very events that were archived, or the log was sealed since';

create or replace function auditctl_internal.drop_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_partition constant text := 'auditctl.' || auditctl_internal.month_table(p_month);
    v_state constant text := auditctl_internal.retention_state();
    v_event_id constant bigint := nextval('auditctl.event_event_id_seq');
    v_archive auditctl.archived_month;
    v_condition text;
    v_data jsonb;
begin
    perform auditctl_internal.close_month(v_partition::regclass);
    select a.* into v_archive
    from auditctl.archived_month as a
    where a.month = to_char(p_month, 'YYYY-MM') and a.ended_at is null and a.dropped_at is null
    for update;
    if not found then
        return null;
    end if;
    v_data := jsonb_build_object('step', 'archive', 'partition', v_partition, 'month', v_archive.month, 'location', v_archive.location);
    if auditctl_internal.changed_since(v_archive, v_partition::regclass) then
        update auditctl.archived_month set ended_at = now() where archive_id = v_archive.archive_id;
        return auditctl_internal.record_upkeep(
            v_partition, 'changed since it was archived, and kept', v_data || auditctl_internal.count_events(p_month, null), v_event_id
        );
    end if;
    v_condition := format('not (%s)', auditctl_internal.hot_condition(p_month));
    v_data := auditctl_internal.begin_deletion(p_month, v_condition, v_data, v_event_id);
    -- In no hurry: while the log is in use, the month stays whole.
    perform auditctl_internal.replace_month(p_month, v_condition, (v_data ->> 'kept')::bigint > 0, v_state);
    update auditctl.archived_month set dropped_at = now() where archive_id = v_archive.archive_id;
    return auditctl_internal.end_deletion(p_month, v_data, 'archived events dropped', v_event_id);
end
$auditctl$;
comment on function auditctl_internal.drop_month is
    'Drops the events of an archived month but the hot ones, if it has the very events that were archived, else keeps it; null if it is not archived';
