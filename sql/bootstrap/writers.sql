-- Runs last, as the login that installs: waits for statements that still run a capture function which this transaction
-- rewrote because it dropped what the function called. After the commit they would call what is gone.

reset role;

do $auditctl$
declare
    v_timeout constant text := pg_catalog.current_setting('lock_timeout');
    v_short constant bigint := extract(epoch from pg_catalog.current_setting('deadlock_timeout')::interval) * 1000;
    v_until constant timestamptz := pg_catalog.clock_timestamp() + interval '10 seconds';
    v_table record;
begin
    if coalesce(pg_catalog.current_setting('auditctl.dropped', true), '') = '' then
        return;
    end if;
    loop
        begin
            for v_table in
                select c.oid::pg_catalog.regclass as name, pg_catalog.row_number() over (order by c.oid) as number
                from pg_catalog.pg_class as c
                where c.relkind in ('r', 'p') and exists (
                    select
                    from pg_catalog.pg_trigger as t
                    join pg_catalog.pg_proc as p on p.oid = t.tgfoid
                    where t.tgrelid = c.oid and p.pronamespace = 'auditctl_triggers'::pg_catalog.regnamespace
                        and pg_catalog.age(p.xmin) <= pg_catalog.age(pg_catalog.pg_current_xact_id()::xid)
                )
                order by number
            loop
                -- Not longer, so that nobody who waits for one of these tables is ended by a deadlock.
                perform pg_catalog.set_config(
                    'lock_timeout', greatest(1, case v_table.number when 1 then v_short / 2 else v_short / 10 end)::text, true
                );
                execute pg_catalog.format('lock table %s in share mode', v_table.name);
            end loop;
            exit;
        exception
            when lock_not_available or deadlock_detected then
                -- Perhaps they wait for what this transaction has locked.
                exit when pg_catalog.clock_timestamp() > v_until;
            when insufficient_privilege or out_of_memory then
                exit;
        end;
    end loop;
    perform pg_catalog.set_config('lock_timeout', v_timeout, true);
end
$auditctl$;

set local role auditctl_owner;
