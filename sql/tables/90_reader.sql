-- Grants readers every table of the store except the keys for the server's log.

do $auditctl$
declare
    v_table text;
begin
    for v_table in
        select c.relname
        from pg_catalog.pg_class as c
        where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and c.relname not in ('log_key', 'alembic_version')
        order by c.relname
    loop
        execute format('grant select on auditctl.%I to auditctl_reader', v_table);
        -- Members of pg_write_all_data may write to every table without a grant; without a policy for writing they cannot here.
        execute format('alter table auditctl.%I enable row level security', v_table);
        execute format('create policy %I on auditctl.%I for select using (true)', v_table || '_is_readable', v_table);
    end loop;
end
$auditctl$;
