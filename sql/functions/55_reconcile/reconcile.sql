-- Compares the rows of audited tables with what their events add up to.

create or replace function auditctl_internal.is_baselined(p_names text[]) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (
        select
        from auditctl.event as e
        where e.target = 'auditctl.baseline' and e.action = 'EVENT' and e.target_id = any (p_names)
            -- Events of the baseline itself may have expired.
            and not exists (
                select from auditctl.month as m
                where m.ended_at is not null and m.month >= to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM')
            )
            and not exists (select from auditctl_internal.key_ends(p_names) as k (at) where k.at > e.occurred_at)
    )
$auditctl$;
comment on function auditctl_internal.is_baselined is 'Whether a table, given all its names, has had a baseline whose events are still there, so that every row must have events';

create or replace function auditctl.reconcile_scopes() returns table (
    target text, rows bigint, excluded text[], masked text[], unrecorded auditctl.action[], has_baseline boolean, obstacle text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        k.target, (select sum(greatest(c.reltuples, 0))::bigint from pg_class as c where c.oid = any (auditctl_internal.row_sites(k))),
        k.exclude, k.mask,
        array(select a from unnest('{CREATE, UPDATE, DELETE, TRUNCATE}'::auditctl.action[]) as a where a <> all (k.actions)),
        auditctl_internal.is_baselined(array(select n.target from auditctl.target_names(k.target) as n)),
        auditctl_internal.row_obstacle(k)
    from auditctl.capture as k
    order by k.target collate "C"
$auditctl$;
revoke execute on function auditctl.reconcile_scopes from public;
grant execute on function auditctl.reconcile_scopes to auditctl_reader;
comment on function auditctl.reconcile_scopes is
    'Each audited table with what auditctl.reconcile compares of it: rows by the statistics, columns that are left out, actions that are not recorded, whether there was a baseline, and why it cannot be compared, or null';

create or replace function auditctl_internal.live_code(p_capture auditctl.capture) returns auditctl.row_reader
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_by_part constant boolean := auditctl_internal.has_children(p_capture);
    v_reader auditctl.row_reader;
    v_site oid;
    v_code text;
begin
    foreach v_site in array auditctl_internal.row_sites(p_capture) loop
        v_reader := auditctl_internal.row_reader(v_site, p_capture, auditctl_internal.rows_lender(v_site));
        v_code := concat_ws(' union all ', v_code, format(
            'select %s as key, %s::text as part, %s as image from %s', v_reader.key, case when v_by_part then v_reader.partition else 'null' end,
            v_reader.image, format(v_reader.source, 'null', 'null')
        ));
    end loop;
    v_reader.source := format(
        'select l.key collate "C" as key, coalesce(l.part, '''') collate "C" as part, l.image from (%s) as l where l.key is not null', v_code
    );
    return v_reader;
end
$auditctl$;
comment on function auditctl_internal.live_code is
    'The query for the rows of an audited table, key, part and image, as the source of a reader with the columns of one of its tables; locks these against DDL';

create or replace function auditctl_internal.event_code(p_capture auditctl.capture, p_columns text[], p_is_moved boolean) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_names constant text[] := array(select n.target from auditctl.target_names(p_capture.target) as n);
    v_ends constant jsonb := auditctl_internal.lives_end(v_names);
    v_moved constant text := format(
        'select k.target_id from auditctl.key_change as k where k.target = any (%1$L) and k.target_id is not null '
        'union select k.previous_target_id from auditctl.key_change as k where k.target = any (%1$L) and k.previous_target_id is not null', v_names
    );
begin
    return concat(
        format(
            'select e.target_id collate "C" as key, %s collate "C" as part, e.occurred_at, e.event_id, e.xact_id, e.action, %s as image%s '
            'from auditctl.event as e where (%s) and e.action in (''CREATE'', ''UPDATE'', ''DELETE'') and e.target_id is not null',
            case when auditctl_internal.has_children(p_capture) then 'coalesce(e.context ->> ''partition'', '''')' else '''''' end,
            auditctl_internal.comparable_code(v_names, p_columns),
            case when p_is_moved then ', (
                    select k.previous_target_id from auditctl.key_change as k where k.occurred_at = e.occurred_at and k.event_id = e.event_id
                ) collate "C" as previous_key' end,
            (
                select string_agg(concat(
                    format('e.target = %L', n.target),
                    case when n.since > '-infinity' then format(' and e.occurred_at >= %L::timestamptz', n.since) end,
                    case when n.until < 'infinity' then format(' and e.occurred_at <= %L::timestamptz', n.until) end
                ), ' or ')
                from auditctl.target_names(p_capture.target) as n
            )
        ),
        case when v_ends ? '' then format(' and e.occurred_at > %L::timestamptz', v_ends ->> '') end,
        case
            when v_ends - '' <> '{}' then format(
                ' and e.occurred_at > coalesce((%L::jsonb ->> (e.context ->> ''partition''))::timestamptz, ''-infinity'')', v_ends
            )
        end,
        case
            when p_is_moved then format(' and e.target_id in (%s)', v_moved)
            when exists (select from auditctl.key_change as k where k.target = any (v_names))
                then format(' and not exists (select from (%s) as m where m.target_id = e.target_id)', v_moved)
        end
    );
end
$auditctl$;
comment on function auditctl_internal.event_code is
    'The query for the events of lives that have not ended together, of a table''s keys that never changed, or of those that did';

create or replace function auditctl.reconcile(p_target text) returns table (finding text, target_id text, columns text[], rows bigint)
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
-- Sorted on disk, both sides take bounded memory, however many rows there are; and no join compares each with each, because the
-- server does not know how many there are.
set enable_hashjoin = off
set enable_nestloop = off
set enable_hashagg = off
set work_mem = '64MB'
as $auditctl$
declare
    c_listed constant bigint := 100;
    v_capture auditctl.capture;
    v_names text[];
    v_live auditctl.row_reader;
    v_folded text;
    v_is_complete boolean;
    v_unknown bigint := 0;
    v_pair record;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'reconcile needs a transaction of isolation level read committed'
            using errcode = 'invalid_transaction_state', hint = 'Its one query reads rows and events in one snapshot.';
    end if;
    select k.* into v_capture from auditctl.capture as k where k.target = p_target;
    if not found or auditctl_internal.row_obstacle(v_capture) is not null then
        raise exception '%', coalesce(auditctl_internal.row_obstacle(v_capture), format('%s is not audited', coalesce(p_target, 'null')))
            using errcode = 'wrong_object_type';
    end if;
    -- Locks the table, so that all that is asked from here on holds when the query below takes its snapshot.
    v_live := auditctl_internal.live_code(v_capture);
    v_names := array(select n.target from auditctl.target_names(p_target) as n);
    v_is_complete := auditctl_internal.is_baselined(v_names);
    v_folded := format(
        'select * from auditctl_internal.fold_events(%L)',
        format('select e.* from (%s) as e order by e.key, e.part, e.occurred_at, e.event_id', auditctl_internal.event_code(v_capture, v_live.columns, false))
    );
    if exists (select from auditctl.key_change as k where k.target = any (v_names)) then
        v_folded := v_folded || format(' union all select * from (%s) as moved', auditctl_internal.moved_code(
            auditctl_internal.event_code(v_capture, v_live.columns, true)
        ));
    end if;
    for v_pair in execute format(
        $query$
        select p.*, altered.columns
        from (
            select
                coalesce(l.key, f.key) as key, row_number() over () as number, f.image as was, l.image as now,
                case when f.image is null then 'unknown' when l.key is null then 'vanished' else 'altered' end as finding,
                -- The bytes of two documents differ if numbers are only written differently.
                l.key is null and f.image is null or coalesce(record_image_eq(row(f.image), row(l.image)), false) as is_same
            from (%s) as l
            full join (select o.key collate "C" as key, o.part collate "C" as part, o.image from (%s) as o) as f
                on f.key = l.key and f.part = l.part
        ) as p
        left join lateral (select auditctl_internal.altered_columns(p.was, p.now) as columns) as altered on p.finding = 'altered' and not p.is_same
        where p.number %% 100000 = 0 or not p.is_same and altered.columns is distinct from '{}'
        $query$, v_live.source, v_folded
    ) loop
        if v_pair.number % 100000 = 0 then
            raise notice '% rows', v_pair.number using errcode = 'UA0PR';
        end if;
        continue when v_pair.is_same or v_pair.columns = '{}' or (
            case v_pair.finding when 'unknown' then 'CREATE' when 'vanished' then 'DELETE' else 'UPDATE' end
        )::auditctl.action <> all (v_capture.actions);
        finding := v_pair.finding;
        target_id := v_pair.key;
        columns := v_pair.columns;
        rows := 1;
        v_unknown := v_unknown + (finding = 'unknown')::integer;
        if finding <> 'unknown' or v_is_complete or v_unknown <= c_listed then
            return next;
        end if;
    end loop;
    if not v_is_complete and v_unknown > c_listed then
        finding := 'unknown';
        target_id := null;
        columns := null;
        rows := v_unknown - c_listed;
        return next;
    end if;
    if (select k.members from auditctl.capture as k where k.relation = v_capture.relation) is distinct from v_capture.members then
        raise exception '% got or lost a partition meanwhile', p_target using errcode = 'serialization_failure', hint = 'Try again.';
    end if;
end
$auditctl$;
revoke execute on function auditctl.reconcile from public;
grant execute on function auditctl.reconcile to auditctl_reader;
comment on function auditctl.reconcile is
    'The rows of an audited table that are not as their events say: altered, with the columns; vanished; unknown, without events. Of a table that never had a baseline only the first 100 unknown rows are listed, then the number of the others without a key';
