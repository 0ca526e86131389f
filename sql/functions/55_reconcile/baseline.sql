-- A baseline: events for the rows that were there before they were audited.

create or replace function auditctl_internal.baseline_capture(p_target text) returns auditctl.capture
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_capture auditctl.capture;
begin
    perform auditctl_internal.require_in_place();
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a baseline needs a transaction of isolation level read committed'
            using errcode = 'invalid_transaction_state', hint = 'Begin it without another level.';
    end if;
    select k.* into v_capture from auditctl.capture as k where k.target = p_target;
    if not found then
        raise exception '% is not audited', coalesce(left(p_target, 200), 'null')
            using errcode = 'undefined_table', hint = 'Audit it first: auditctl enable SCHEMA.TABLE';
    end if;
    perform auditctl_internal.require_administrable(array[v_capture.target]);
    return v_capture;
end
$auditctl$;
comment on function auditctl_internal.baseline_capture is
    'The capture of a target, for a baseline; raises if it is not audited, or if administrators may not change its capture';

create or replace function auditctl.baseline_tables(p_target text) returns table (relation oid, pages bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_capture constant auditctl.capture := auditctl_internal.baseline_capture(p_target);
    v_obstacle constant text := auditctl_internal.row_obstacle(v_capture);
begin
    if v_obstacle is not null then
        raise exception '%', v_obstacle using errcode = 'wrong_object_type', hint = format(
            'A table without a primary key needs a stated key: %s --key COLUMN', auditctl_internal.command_line('enable', v_capture.target)
        );
    end if;
    return query
    select site.oid, pg_relation_size(site.oid) / current_setting('block_size')::bigint
    from unnest(auditctl_internal.row_sites(v_capture)) as site (oid);
end
$auditctl$;
revoke execute on function auditctl.baseline_tables from public;
grant execute on function auditctl.baseline_tables to auditctl_admin;
comment on function auditctl.baseline_tables is
    'The tables that hold the rows of an audited table, itself, its partitions and children, with the pages that auditctl.record_baseline has to go through';

create or replace function auditctl.record_baseline(p_target text, p_relation oid, p_first bigint, p_end bigint) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set "IntervalStyle" = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set array_nulls = on
set quote_all_identifiers = off
set jit = off
set enable_seqscan = off
as $auditctl$
declare
    v_capture constant auditctl.capture := auditctl_internal.baseline_capture(p_target);
    v_reader auditctl.row_reader;
    v_source text;
    v_names constant text[] := array(select n.target from auditctl.target_names(p_target) as n);
    v_who auditctl.identity;
    v_rows bigint;
begin
    if p_first is null or p_end is null or auditctl_internal.row_obstacle(v_capture) is not null
        or (p_relation = any (auditctl_internal.row_sites(v_capture))) is not true
    then
        raise exception 'relation % holds no rows of %', coalesce(p_relation::text, 'null'), p_target using errcode = 'invalid_parameter_value';
    end if;
    v_reader := auditctl_internal.row_reader(p_relation, v_capture, auditctl_internal.rows_lender(p_relation));
    v_source := format(v_reader.source, p_first, p_end);
    -- The next statement has a new snapshot, so it sees the events of all who changed these rows until now, and nobody changes
    -- them any more.
    perform auditctl_internal.borrow('share', p_relation, format('%s %s', p_first, p_end));
    v_who := auditctl_internal.identify();
    v_who.context := coalesce(v_who.context, '{}') || '{"baseline": true}';
    execute format(
        $query$
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
        select
            $1, $2, $3, $4, r.key, 'CREATE',
            case when pg_column_size(r.image) > 200 and not auditctl_internal.fits(null, r.image) then %s else r.image end,
            $5 || case when %s is null then '{}' else jsonb_build_object('partition', %2$s) end
        from %s
        cross join lateral (select %s as key, %s as image offset 0) as r
        where r.key is not null and not auditctl_internal.has_life($6, r.key, %2$s, $7, $8)
        $query$,
        v_reader.bounded_image, v_reader.partition, v_source, v_reader.key, v_reader.image
    ) using v_who.actor, v_who.actor_kind, v_who.ip, p_target, v_who.context,
        array(select row(n.target, n.since, n.until)::auditctl.target_period from auditctl.target_names(p_target) as n),
        auditctl_internal.has_children(v_capture), auditctl_internal.lives_end(v_names);
    get diagnostics v_rows = row_count;
    return v_rows;
end
$auditctl$;
revoke execute on function auditctl.record_baseline from public;
grant execute on function auditctl.record_baseline to auditctl_admin;
comment on function auditctl.record_baseline is
    'Records the rows in some pages of a table, from the first up to the end, that have no events: locks them, so that nobody changes them until the transaction ends, and raises 55P03 if somebody is changing one; returns how many';

create or replace function auditctl.end_baseline(p_target text, p_rows bigint) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_capture constant auditctl.capture := auditctl_internal.baseline_capture(p_target);
begin
    return auditctl_internal.insert_event(
        'auditctl.baseline', v_capture.target, 'EVENT', null, jsonb_build_object('rows', p_rows),
        format('baseline of %s: %s recorded', v_capture.target, auditctl_internal.counted(coalesce(p_rows, 0)::text, 'row'))
    );
end
$auditctl$;
revoke execute on function auditctl.end_baseline from public;
grant execute on function auditctl.end_baseline to auditctl_admin;
comment on function auditctl.end_baseline is 'Records that all rows of a table have events now, as an event of target auditctl.baseline; returns its event_id';
