-- Locks tables, waiting for each as long as lock_timeout says. Meanwhile no other table stays locked for more than a tenth
-- of deadlock_timeout: whoever waits for one of them and is waited for gets it, and this begins again. Whoever waits behind
-- this would look for a deadlock after deadlock_timeout, and be its victim: by then this waits for nothing any more.
do $auditctl$
declare
    v_timeout constant text := pg_catalog.current_setting('lock_timeout');
    v_short constant interval := pg_catalog.current_setting('deadlock_timeout')::interval / 2;
    v_together constant interval := pg_catalog.current_setting('deadlock_timeout')::interval / 10;
    v_begun constant timestamptz := pg_catalog.clock_timestamp();
    v_until constant timestamptz := case
        when v_timeout::interval = interval '0' then 'infinity' else pg_catalog.clock_timestamp() + v_timeout::interval
    end;
    v_table record;
    v_busy oid := 0;
    v_name text;
    v_limit timestamptz;
    v_asked timestamptz;
    v_is_late boolean;
    v_holders text;
begin
    loop
        begin
            v_is_late := null;
            for v_table in
                select c.oid, t.mode, n.nspname, c.relname, pg_catalog.count(*) over () as number
                from pg_catalog.jsonb_to_recordset({tables}) as t (relation bigint, mode text)
                join pg_catalog.pg_class as c on c.oid = t.relation and c.relkind in ('r', 'p')
                join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
                order by c.oid = v_busy desc, c.oid
            loop
                v_busy := v_table.oid;
                v_name := pg_catalog.concat_ws('.', v_table.nspname, v_table.relname);
                v_asked := pg_catalog.clock_timestamp();
                if v_is_late is null then
                    -- A short wait never comes to an end where long transactions follow each other: later, it is a long one.
                    v_limit := least(v_until, case
                        when v_table.number > 1 and v_asked - v_begun < 10 * v_short then v_asked + v_short
                        else 'infinity'
                    end);
                end if;
                perform pg_catalog.set_config('lock_timeout', case
                    when v_limit = 'infinity' then '0'
                    else greatest(1, pg_catalog.ceil(extract(epoch from v_limit - pg_catalog.clock_timestamp()) * 1000))::bigint::text
                end, true);
                if {is_administered} then
                    perform auditctl.lock_table(v_table.oid, v_table.mode, v_is_late is not true);
                else
                    execute pg_catalog.format(
                        'lock table %I.%I in %s mode%s', v_table.nspname, v_table.relname, v_table.mode, case when v_is_late then ' nowait' end
                    );
                end if;
                if v_is_late is null then
                    v_limit := least(pg_catalog.clock_timestamp() + v_together, v_until);
                    v_is_late := pg_catalog.clock_timestamp() - v_asked > v_short + v_together;
                end if;
            end loop;
            exit;
        exception
            when lock_not_available or deadlock_detected then
                if pg_catalog.clock_timestamp() >= v_until then
                    select pg_catalog.string_agg(distinct coalesce(
                        pg_catalog.format('process %s (%s, login %s)', s.pid, coalesce(nullif(s.application_name, ''), 'no name'), s.usename),
                        'a prepared transaction'
                    ), ', ')
                    into v_holders
                    from pg_catalog.pg_locks as l
                    left join pg_catalog.pg_stat_activity as s on s.pid = l.pid
                    where l.relation = v_table.oid and l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()
                        and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
                        and (l.mode <> 'AccessShareLock' or v_table.mode = 'access exclusive');
                    raise exception '% is locked by another session%', v_name, coalesce(': ' || v_holders, '')
                        using errcode = 'lock_not_available';
                end if;
            -- The statement that needs the lock says more about what is missing, or who dropped the table.
            when insufficient_privilege or undefined_table then
                return;
        end;
    end loop;
    -- What else is locked, such as rows of the store, is waited for as briefly.
    perform pg_catalog.set_config('lock_timeout', least(
        extract(epoch from v_together) * 1000, nullif(extract(epoch from v_timeout::interval) * 1000, 0)
    )::bigint::text, true);
end
$auditctl$
