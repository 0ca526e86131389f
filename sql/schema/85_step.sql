-- What upkeep has to do, and the next step of it. Takes no argument: what is done follows from what was stated alone.

create function audit.prune_bookkeeping() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before constant timestamptz := audit.kept_since('*');
begin
    return case when v_before > '-infinity' then audit.prune_read_lines(v_before) else 0 end;
end
$auditctl$;

revoke execute on function audit.prune_bookkeeping() from public;
comment on function audit.prune_bookkeeping() is 'Deletes which lines of the server''s log were imported, where their events'' time is over; returns how many rows';

create function audit.maintenance_due()
returns table (step text, partition text, dropped bigint, kept bigint, reason text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
declare
    v_month record;
    v_months text;
    v_counted jsonb;
begin
    select string_agg(to_char(s.m, 'YYYY-MM'), ', ' order by s.m) into v_months from audit.stray_months() as s (m);
    if v_months is not null or audit.is_mirrored() then
        return query select
            'move', 'audit.event_default', 0::bigint, (select count(*) from only audit.event_default),
            case when audit.is_mirrored() then 'Moving was begun and is not done.' else 'It holds events of ' || v_months || '.' end;
    end if;
    return query select 'create', 'audit.' || audit.month_table(m), 0::bigint, 0::bigint, 'The month has no partition.'
        from audit.missing_months() as n (m) where m not in (select s.m from audit.stray_months() as s (m));
    for v_month in select p.partition, p.first from audit.month_partitions() as p loop
        if audit.has_expired(v_month.first) then
            v_counted := audit.count_events(v_month.first, audit.expired_condition(v_month.first));
            return query select
                'expire', v_month.partition::text, (v_counted ->> 'dropped')::bigint, (v_counted ->> 'kept')::bigint,
                case when (v_counted ->> 'kept')::bigint = 0 then 'The time of all its events is over.'
                    else 'The time of some of its events is over; the others stay.' end;
        end if;
    end loop;
end
$auditctl$;

revoke execute on function audit.maintenance_due() from public;
grant execute on function audit.maintenance_due() to audit_reader;
comment on function audit.maintenance_due() is
    'What maintain would do now, in its order: with how many events are deleted, and how many stay or are moved';

create function audit.overdue_months() returns setof regclass
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select m.partition from audit.month_partitions() as m where audit.has_expired(m.first)
$auditctl$;

revoke execute on function audit.overdue_months() from public;
grant execute on function audit.overdue_months() to audit_reader;
comment on function audit.overdue_months() is 'The months with events whose time is over, which maintain would delete now';

create function audit.next_step() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month timestamp;
begin
    if audit.is_mirrored() then
        return coalesce(audit.copy_events(), audit.end_move());
    end if;
    if exists (select from audit.stray_months()) then
        return audit.begin_move();
    end if;
    select min(m) into v_month from audit.missing_months() as n (m);
    if v_month is not null then
        return audit.add_month(v_month);
    end if;
    for v_month in select p.first from audit.month_partitions() as p loop
        if audit.has_expired(v_month) then
            return audit.expire_month(v_month);
        end if;
    end loop;
    perform audit.prune_bookkeeping();
    perform audit.summarize();
    update audit.maintenance set ran_at = now();
    return null;
end
$auditctl$;

revoke execute on function audit.next_step() from public;
comment on function audit.next_step() is 'Does what has to be done next; null when there is nothing';

create function audit.add_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_made regclass;
begin
    for v_attempt in 1..20 loop
        begin
            v_made := audit.create_partition(p_month::date);
            exit;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    if v_made is null then
        perform audit.give_up('the log', (audit.lock_holders(array['audit.event_default'::regclass::oid]))[1]);
    end if;
    return audit.record_upkeep(
        v_made::text, 'partition created', jsonb_build_object('step', 'create', 'partition', v_made::text, 'month', to_char(p_month, 'YYYY-MM'))
    );
end
$auditctl$;

revoke execute on function audit.add_month(timestamp) from public;
comment on function audit.add_month(timestamp) is 'Makes the partition of a month; gives up rather than let writers wait';

create function audit.maintain_step() returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'maintain needs transactions that read what is committed'
            using errcode = 'feature_not_supported', hint = 'Run it with: set default_transaction_isolation = ''read committed''';
    end if;
    -- Whoever calls this in a transaction of their own and forgets to end it holds a lock that all writers wait for.
    perform set_config('idle_in_transaction_session_timeout', '10s', true);
    begin
        perform from audit.maintenance for update nowait;
    exception when lock_not_available then
        return jsonb_build_object('step', 'busy');
    end;
    return audit.next_step();
end
$auditctl$;

revoke execute on function audit.maintain_step() from public;
grant execute on function audit.maintain_step() to audit_admin;
comment on function audit.maintain_step() is
    'Does the next step of upkeep and says what it was; null when nothing is left, step busy where another session is at it';

create procedure audit.maintain()
language plpgsql
as $auditctl$
-- Has the rights and the search_path of whoever calls it: only so may it commit after each step.
declare
    v_done pg_catalog.jsonb;
begin
    loop
        v_done := audit.maintain_step();
        commit;
        exit when v_done is null;
        if pg_catalog.jsonb_extract_path_text(v_done, 'step') operator(pg_catalog.=) 'busy' then
            raise notice 'another session is at it';
            exit;
        end if;
    end loop;
end
$auditctl$;

revoke execute on procedure audit.maintain() from public;
grant execute on procedure audit.maintain() to audit_admin;
comment on procedure audit.maintain() is 'Does all upkeep, and commits after each step: for a scheduler inside the database';
