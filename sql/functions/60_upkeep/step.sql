-- The steps of upkeep that are due, and the next one. No argument: the steps follow from the stored retention alone.

create or replace function auditctl_internal.prune_key_changes() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- In a later transaction than the one that drops the month, so that nobody waits. No target is kept for less time than ''.
    delete from auditctl.key_change as k where k.occurred_at < auditctl.kept_since('') and not auditctl_internal.has_event(k.event_id, k.occurred_at)
$auditctl$;
comment on function auditctl_internal.prune_key_changes is 'Deletes the key changes whose events retention has deleted';

create or replace function auditctl_internal.prune_erasures() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from auditctl.erasure as r where r.occurred_at < auditctl.kept_since('') and not auditctl_internal.has_event(r.event_id, r.occurred_at)
$auditctl$;
comment on function auditctl_internal.prune_erasures is 'Deletes the erasures whose events retention has deleted';

create or replace function auditctl_internal.prune_bookkeeping() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before constant timestamptz := auditctl.kept_since('*');
begin
    perform auditctl_internal.prune_key_changes();
    perform auditctl_internal.prune_erasures();
    perform auditctl_internal.prune_views();
    return case when v_before > '-infinity' then auditctl_internal.prune_read_lines(v_before) else 0 end;
end
$auditctl$;
comment on function auditctl_internal.prune_bookkeeping is
    'Deletes key changes, erasures and the record of imported log lines whose events have expired, and the views of dropped logins; returns how many lines';

create or replace function auditctl.maintenance_due() returns table (step text, partition text, dropped bigint, kept bigint, reason text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
declare
    v_month record;
    v_months text;
    v_counts jsonb;
begin
    select string_agg(to_char(s.m, 'YYYY-MM'), ', ' order by s.m) into v_months from auditctl_internal.stray_months() as s (m);
    if v_months is not null or auditctl_internal.is_mirrored() then
        return query select
            'move', 'auditctl.event_default', 0::bigint, (select count(*) from only auditctl.event_default),
            case when auditctl_internal.is_mirrored() then 'The move has begun and is not complete.' else 'It holds events of ' || v_months || '.' end;
    end if;
    return query
    select
        'notice', u.relation, 0::bigint, 0::bigint,
        format('%s What was in force before keeps events until 7 days after this run.', u.reason)
    from auditctl_internal.unnoticed() as u order by u.relation, u.object;
    return query select 'create', 'auditctl.' || auditctl_internal.month_table(m), 0::bigint, 0::bigint, 'The month has no partition.'
        from auditctl_internal.missing_months() as n (m) where m not in (select s.m from auditctl_internal.stray_months() as s (m));
    for v_month in select p.partition, p.first from auditctl_internal.month_partitions() as p loop
        if auditctl_internal.has_expired(v_month.first) then
            v_counts := auditctl_internal.count_events(v_month.first, auditctl_internal.expired_condition(v_month.first));
            return query select
                'expire', v_month.partition::text, (v_counts ->> 'dropped')::bigint, (v_counts ->> 'kept')::bigint,
                case when (v_counts ->> 'kept')::bigint = 0 then 'All its events have expired.'
                    else 'Some of its events have expired; the others stay.' end;
        end if;
    end loop;
    return query
    select
        'archive', p.partition::text, case when changed then 0 else a.rows - a.hot_rows end,
        case when changed then (auditctl_internal.fingerprint(p.partition)).rows else a.hot_rows end,
        case when changed then 'It changed since it was archived, and stays.' else format('It was archived to %s.', a.location) end
    from auditctl_internal.archived_partitions() as p
    join auditctl.archived_month as a on a.archive_id = p.archive_id
    cross join lateral auditctl_internal.changed_since(a, p.partition) as changed
    where not auditctl_internal.has_expired(p.first)
    order by p.first;
    return query
    select
        'delete', 'month ' || a.month, a.rows, 0::bigint,
        case when a.is_announced then format('The deletion of its files in %s has begun and is not complete.', a.location)
            else format('All its events have expired; its files are in %s.', a.location) end
    from auditctl.expired_archives() as a;
    return query
    select
        s.step, s.partition::text, 0::bigint, 0::bigint,
        case
            when s.step = 'index' then 'The month is over, and its values have no index.'
            when auditctl_internal.wants_value_indexes() then 'It has an index of its values that another one replaces.'
            else 'Its values have an index.'
        end
    from auditctl_internal.value_steps() as s;
    return query
    select
        'index', d.partition::text, 0::bigint, 0::bigint,
        format('Its values have no index from %s on.', to_char(d.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
    from auditctl_internal.value_index_due() as d;
end
$auditctl$;
revoke execute on function auditctl.maintenance_due from public;
grant execute on function auditctl.maintenance_due to auditctl_reader;
comment on function auditctl.maintenance_due is
    'The steps that maintain would take now, in order, with the number of events deleted, and kept or moved';

create or replace function auditctl.overdue_months() returns setof regclass
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select m.partition from auditctl_internal.month_partitions() as m where auditctl_internal.has_expired(m.first)
$auditctl$;
revoke execute on function auditctl.overdue_months from public;
grant execute on function auditctl.overdue_months to auditctl_reader;
comment on function auditctl.overdue_months is 'The months with expired events, which maintain would delete now';

create or replace function auditctl_internal.skipped() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What another run skipped is tried again.
    select case when m.skipped_by = pg_backend_pid() then m.skipped else '{}' end from auditctl.maintenance as m
$auditctl$;
comment on function auditctl_internal.skipped is 'The partitions that this run of upkeep leaves to a later one, each with the reason; null for an empty month';

create or replace function auditctl_internal.skip(p_partition text, p_reason text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    update auditctl.maintenance
    set (skipped, skipped_by) = (auditctl_internal.skipped() || jsonb_build_object(p_partition, p_reason), pg_backend_pid());
    return jsonb_build_object('step', 'skip', 'partition', p_partition, 'reason', p_reason);
end
$auditctl$;
comment on function auditctl_internal.skip is 'Leaves a partition to the next run, so that this one can go on with the others';

create or replace function auditctl_internal.take_step(p_step text, p_partition text, p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_done jsonb;
begin
    if auditctl_internal.skipped() ? p_partition then
        return null;
    end if;
    v_done := case p_step
        when 'copy' then coalesce(auditctl_internal.copy_events(), auditctl_internal.end_move())
        when 'move' then auditctl_internal.begin_move()
        when 'create' then auditctl_internal.add_month(p_month)
        when 'expire' then auditctl_internal.expire_month(p_month)
        when 'archive' then auditctl_internal.drop_month(p_month)
        else auditctl_internal.change_value_indexes(p_step, p_month)
    end;
    return case when v_done ->> 'step' = 'skip' then auditctl_internal.skip(p_partition, null) else v_done end;
exception when lock_not_available then
    return auditctl_internal.skip(p_partition, sqlerrm);
end
$auditctl$;
comment on function auditctl_internal.take_step is 'Does one step, or skips its partition while a transaction that does not end is in the way; null if it was skipped before';

create or replace function auditctl_internal.finish_upkeep() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.prune_bookkeeping();
    perform auditctl_internal.count_months();
    perform auditctl_internal.count_days();
    perform auditctl_internal.count_transactions();
    perform auditctl_internal.summarize();
    update auditctl.maintenance as m
    set ran_at = case
            when exists (select from jsonb_each_text(auditctl_internal.skipped()) as s where s.value is not null) then m.ran_at
            else now()
        end,
        (skipped, skipped_by) = ('{}', null);
end
$auditctl$;
comment on function auditctl_internal.finish_upkeep is 'The end of a run: prunes and summarizes, and records that it is complete unless something was skipped';

create or replace function auditctl_internal.next_step() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_done jsonb := auditctl_internal.notice_ends();
    v_month record;
begin
    if v_done is null and auditctl_internal.is_mirrored() then
        v_done := auditctl_internal.take_step('copy', 'auditctl.event_default', null);
    elsif v_done is null and exists (select from auditctl_internal.stray_months()) then
        v_done := auditctl_internal.take_step('move', 'auditctl.event_default', null);
    end if;
    for v_month in select m as first from auditctl_internal.missing_months() as n (m) where v_done is null order by m loop
        v_done := auditctl_internal.take_step('create', 'auditctl.' || auditctl_internal.month_table(v_month.first), v_month.first);
        exit when v_done is not null;
    end loop;
    for v_month in select p.partition, p.first from auditctl_internal.month_partitions() as p where v_done is null loop
        if auditctl_internal.has_expired(v_month.first) then
            v_done := auditctl_internal.take_step('expire', v_month.partition::text, v_month.first);
            exit when v_done is not null;
        end if;
    end loop;
    for v_month in select p.partition, p.first from auditctl_internal.archived_partitions() as p where v_done is null loop
        v_done := auditctl_internal.take_step('archive', v_month.partition::text, v_month.first);
        exit when v_done is not null;
    end loop;
    for v_month in select s.* from auditctl_internal.value_steps() as s where v_done is null loop
        v_done := auditctl_internal.take_step(v_month.step, v_month.partition::text, v_month.first);
        exit when v_done is not null;
    end loop;
    if v_done is null then
        perform auditctl_internal.finish_upkeep();
    end if;
    return v_done;
end
$auditctl$;
comment on function auditctl_internal.next_step is 'Does the next step of upkeep; null when nothing is left';

create or replace function auditctl_internal.add_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_partition regclass;
begin
    for v_attempt in 1..20 loop
        begin
            v_partition := auditctl_internal.create_partition(p_month::date);
            exit;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    if v_partition is null then
        perform auditctl_internal.give_up('the log', (auditctl_internal.lock_holders(array['auditctl.event_default'::regclass::oid]))[1]);
    end if;
    return auditctl_internal.record_upkeep(
        v_partition::text, 'partition created', jsonb_build_object('step', 'create', 'partition', v_partition::text, 'month', to_char(p_month, 'YYYY-MM'))
    );
end
$auditctl$;
comment on function auditctl_internal.add_month is 'Creates the partition of a month; gives up rather than let writers wait';

create or replace function auditctl_internal.maintainer() returns text
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select format('process %s (%s, login %s)', l.pid, coalesce(nullif(s.application_name, ''), 'no name'), coalesce(s.usename, 'unknown'))
    from pg_locks as l
    join pg_stat_activity as s on s.pid = l.pid
    where l.relation = 'auditctl.maintenance'::regclass and l.granted and l.mode = 'RowShareLock' and l.pid <> pg_backend_pid()
        and l.database = (select d.oid from pg_database as d where d.datname = current_database())
    limit 1
$auditctl$;
comment on function auditctl_internal.maintainer is 'The session that is doing a step of upkeep: process, program and login; null if it has ended';

create or replace function auditctl_internal.do_step() returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'maintain needs transactions with isolation level read committed'
            using errcode = 'feature_not_supported', hint = 'Run it with: set default_transaction_isolation = ''read committed''';
    end if;
    -- A caller that forgets to end its own transaction would otherwise hold a lock that all writers wait for.
    perform set_config('idle_in_transaction_session_timeout', '10s', true);
    begin
        perform from auditctl.maintenance for update nowait;
    exception when lock_not_available then
        return jsonb_build_object('step', 'busy', 'by', auditctl_internal.maintainer());
    end;
    return auditctl_internal.next_step();
end
$auditctl$;
comment on function auditctl_internal.do_step is 'Does the next step of upkeep, for auditctl.maintain_step';

create or replace function auditctl.maintain_step() returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_done jsonb;
begin
    -- Where the coverage guard is, only it can allow what follows to change the store.
    -- Without a superuser's install, anybody who may create schemas could have one of that name.
    if not exists (select from pg_namespace as n join pg_roles as r on r.oid = n.nspowner and r.rolsuper where n.nspname = 'auditctl_guard') then
        return auditctl_internal.do_step();
    end if;
    execute 'select auditctl_guard.step()' into v_done;
    return v_done;
end
$auditctl$;
revoke execute on function auditctl.maintain_step from public;
grant execute on function auditctl.maintain_step to auditctl_admin;
comment on function auditctl.maintain_step is
    'Does the next step of upkeep and returns what it was; null when nothing is left, step busy while another session does one, step skip for a partition that is in use';

create or replace procedure auditctl.maintain()
language plpgsql
as $auditctl$
-- Has the rights and the search_path of the caller: only then may it commit after each step.
declare
    v_done pg_catalog.jsonb;
    v_skipped pg_catalog.text;
begin
    loop
        v_done := auditctl.maintain_step();
        commit;
        exit when v_done is null;
        v_skipped := coalesce(v_skipped, case pg_catalog.jsonb_extract_path_text(v_done, 'step') when 'skip' then
            pg_catalog.jsonb_extract_path_text(v_done, 'reason') end);
        if pg_catalog.jsonb_extract_path_text(v_done, 'step') operator(pg_catalog.=) 'busy' then
            raise notice 'another session is doing maintenance';
            exit;
        end if;
    end loop;
    if v_skipped is not null then
        raise exception '%', v_skipped using errcode = 'lock_not_available', hint = 'Everything else is done. Run it again later.';
    end if;
end
$auditctl$;
revoke execute on procedure auditctl.maintain from public;
grant execute on procedure auditctl.maintain to auditctl_admin;
comment on procedure auditctl.maintain is 'Does all upkeep, and commits after each step: for a scheduler inside the database';
