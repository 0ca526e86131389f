-- Deletes expired events: a partition is dropped, or replaced by one with the events that must stay.

create or replace function auditctl_internal.month_partitions() returns table (partition regclass, first timestamp)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select c.oid::regclass, auditctl_internal.month_of(c.relname)
    from pg_inherits as i
    join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'auditctl.event'::regclass and not i.inhdetachpending and c.relname ~ '^event_[0-9]{4}_(0[1-9]|1[0-2])$'
    order by c.relname
$auditctl$;
comment on function auditctl_internal.month_partitions is 'The months of the log, oldest first';

create or replace function auditctl_internal.partition_targets(p_month timestamp) returns setof text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_month is null then
        return;
    end if;
    -- Jumps from target to target in the index.
    return query execute format(
        'with recursive found as ('
        '(select e.target from only auditctl.%1$I as e order by e.target limit 1) union all '
        'select (select e.target from only auditctl.%1$I as e where e.target > f.target order by e.target limit 1) '
        'from found as f where f.target is not null) '
        'select f.target from found as f where f.target is not null', auditctl_internal.month_table(p_month)
    );
end
$auditctl$;
comment on function auditctl_internal.partition_targets is 'The targets of a month''s events; empty for null';

create or replace function auditctl_internal.expired_targets(p_month timestamp) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- No target is kept for less time than one without a retention time of its own: while that lasts, no index is read.
    select t.target
    from (select auditctl.kept_since('') as since) as minimum
    cross join lateral auditctl_internal.partition_targets(
        case when minimum.since >= auditctl_internal.utc(p_month + interval '1 month') then p_month end
    ) as t (target)
    where auditctl.kept_since(t.target) >= auditctl_internal.utc(p_month + interval '1 month')
        and not exists (
            select from auditctl_internal.holds_in_force() as h where h.target_id is null and auditctl.is_meant(h.target, t.target)
        )
$auditctl$;
comment on function auditctl_internal.expired_targets is 'The targets whose events of a month have expired; holds on single objects are not considered';

create or replace function auditctl_internal.expired_condition(p_month timestamp) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- Times as text must mean the same in every session: a session's time zone could otherwise shift a month past a hold.
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_targets constant text[] := array(select t.target from auditctl_internal.expired_targets(p_month) as t (target));
    v_condition text;
begin
    if v_targets = '{}' then
        return null;
    end if;
    v_condition := format('e.target = any (%L)', v_targets);
    if exists (select from auditctl_internal.holds_in_force() as h where h.target_id is not null) then
        v_condition := v_condition || format(
            ' and (e.event_id, e.occurred_at) not in (select h.event_id, h.occurred_at from auditctl_internal.held_events(%L, %L) as h)',
            auditctl_internal.utc(p_month), auditctl_internal.utc(p_month + interval '1 month')
        );
    end if;
    return v_condition;
end
$auditctl$;
comment on function auditctl_internal.expired_condition is 'The SQL condition for the expired events e of a month; null if none have expired';

create or replace function auditctl_internal.has_expired(p_month timestamp) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_condition constant text := auditctl_internal.expired_condition(p_month);
    v_found boolean := false;
begin
    if v_condition is not null then
        execute format('select exists (select from only auditctl.%I as e where %s)', auditctl_internal.month_table(p_month), v_condition) into v_found;
    elsif auditctl.kept_since('auditctl.') >= auditctl_internal.utc(p_month + interval '1 month') then
        -- An empty month that has expired.
        execute format('select not exists (select from only auditctl.%I)', auditctl_internal.month_table(p_month)) into v_found;
    end if;
    return v_found;
end
$auditctl$;
comment on function auditctl_internal.has_expired is 'Whether a month has expired events, or has expired and is empty';

create or replace function auditctl_internal.retention_state() returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Everything that decides which events must stay, as text for comparison.
    select concat_ws(
        ' ',
        (select string_agg(format('%s:%s:%s', r.retention_id, r.until, r.noticed_at), ',' order by r.retention_id) from auditctl.retention as r),
        (select string_agg(format('%s:%s:%s', h.hold_id, h.released_at, h.noticed_at), ',' order by h.hold_id) from auditctl.hold as h),
        (select count(*) from auditctl.rename)
    )
$auditctl$;
comment on function auditctl_internal.retention_state is 'A text that changes whenever a hold, a retention time or a table''s name changes';

create or replace function auditctl_internal.empty_month(p_month timestamp, p_condition text, p_state text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $auditctl$
declare
    v_partition constant regclass := format('auditctl.%I', auditctl_internal.month_table(p_month))::regclass;
begin
    -- Any login can hold a lock on the log for as long as it likes, with a transaction that recorded an event: it keeps the
    -- month from being dropped, but not its events from being deleted. Until the end of this transaction nobody else can
    -- write to the month, and nobody else sees it without its guard.
    execute format('lock table only %s in share row exclusive mode', v_partition);
    perform auditctl_internal.require_retention_state(p_state);
    execute format(
        'alter table only %s disable trigger event_write_once_row, disable trigger event_write_once_statement', v_partition
    );
    execute format('delete from only %s as e where %s', v_partition, p_condition);
    execute format(
        'alter table only %s enable always trigger event_write_once_row, enable always trigger event_write_once_statement', v_partition
    );
exception when lock_not_available then
    raise lock_not_available using message = sqlerrm, hint = 'Nothing was deleted. Run auditctl maintain again later.';
end
$auditctl$;
comment on function auditctl_internal.empty_month is 'Deletes the expired events of a month whose table cannot be dropped now';

create or replace function auditctl_internal.expire_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_partition constant text := 'auditctl.' || auditctl_internal.month_table(p_month);
    v_state constant text := auditctl_internal.retention_state();
    v_event_id constant bigint := nextval('auditctl.event_event_id_seq');
    v_condition text;
    v_data jsonb;
begin
    perform auditctl_internal.close_month(v_partition::regclass);
    v_condition := auditctl_internal.expired_condition(p_month);
    v_data := auditctl_internal.begin_deletion(
        p_month, v_condition, jsonb_build_object('step', 'expire', 'partition', v_partition, 'month', to_char(p_month, 'YYYY-MM')), v_event_id
    );
    begin
        perform auditctl_internal.replace_month(p_month, v_condition, (v_data ->> 'kept')::bigint > 0, v_state);
    exception when lock_not_available then
        if (v_data ->> 'dropped')::bigint = 0 then
            -- An empty month stays until the log is not in use.
            return jsonb_build_object('step', 'skip', 'partition', v_partition, 'reason', null);
        end if;
        v_data := v_data || jsonb_build_object('remains', sqlerrm);
    end;
    if v_data ? 'remains' then
        perform auditctl_internal.empty_month(p_month, v_condition, v_state);
    end if;
    return auditctl_internal.end_deletion(p_month, v_data, 'expired events deleted', v_event_id);
end
$auditctl$;
comment on function auditctl_internal.expire_month is
    'Deletes the expired events of a month: with its table, or from it while a transaction that does not end uses the log';

create or replace function auditctl_internal.require_retention_state(p_state text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A hold that is being placed is either visible from here on, or waits until the events are deleted. The table of renames
    -- is not locked: an owner could hold its lock, and a name counts from when it is committed.
    lock table auditctl.hold, auditctl.retention in share mode nowait;
    if auditctl_internal.retention_state() <> p_state then
        raise exception 'a hold, a retention time or a table''s name was changed meanwhile'
            using errcode = 'serialization_failure', hint = 'Nothing was deleted. Run auditctl maintain again.';
    end if;
exception when lock_not_available then
    raise exception 'a hold, a retention time or a table''s name is being changed'
        using errcode = 'lock_not_available', hint = 'Nothing was deleted. Run auditctl maintain again when that transaction has ended.';
end
$auditctl$;
comment on function auditctl_internal.require_retention_state is
    'Locks holds and retention times until the transaction ends; raises if they differ from the given state';
