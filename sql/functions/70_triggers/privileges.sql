-- What readers may read, and who may use the schema. Functions have their privileges in their own files.

create or replace function auditctl_internal.note_step(p_step text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select set_config(
        'auditctl.steps', (coalesce(nullif(current_setting('auditctl.steps', true), ''), '[]')::jsonb || to_jsonb(p_step))::text, true
    )
$auditctl$;
comment on function auditctl_internal.note_step is 'Adds a sentence to what an adoption did, see auditctl adopt';

do $auditctl$
declare
    v_table record;
    v_granted integer := 0;
begin
    -- Names resolve for everyone, because any login may call auditctl.set_context; each object has its own privileges.
    if not exists (
        select
        from pg_namespace as n
        cross join lateral aclexplode(n.nspacl) as a
        where n.nspname = 'auditctl' and a.grantee = 0 and a.privilege_type = 'USAGE'
    ) then
        grant usage on schema auditctl to public;
        v_granted := 1;
    end if;
    for v_table in
        select
            c.relname as name, quote_ident(role.name) as reader, c.relrowsecurity,
            exists (select from pg_policy as p where p.polrelid = c.oid and p.polname = c.relname || '_is_readable') as has_policy,
            exists (
                select from aclexplode(c.relacl) as a
                where a.grantee = case role.name when 'public' then 0 else to_regrole(role.name)::oid end and a.privilege_type = 'SELECT'
            ) as is_granted
        from pg_class as c
        cross join lateral (select case c.relname when 'alembic_version' then 'public' else 'auditctl_reader' end) as role (name)
        where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and c.relname not in ('log_key', 'saved_view') and c.relowner = 'auditctl_owner'::regrole
        order by c.relname
    loop
        if not v_table.is_granted then
            execute format('grant select on auditctl.%I to %s', v_table.name, v_table.reader);
            v_granted := v_granted + 1;
        end if;
        -- Members of pg_write_all_data may write to every table without a grant; without a policy for writing they cannot here.
        if not v_table.relrowsecurity then
            execute format('alter table auditctl.%I enable row level security', v_table.name);
        end if;
        if not v_table.has_policy then
            execute format('create policy %I on auditctl.%I for select using (true)', v_table.name || '_is_readable', v_table.name);
        end if;
    end loop;
    if v_granted > 0 then
        perform auditctl_internal.note_step(format('%s granted', case v_granted when 1 then '1 privilege' else v_granted || ' privileges' end));
    end if;
end
$auditctl$;
