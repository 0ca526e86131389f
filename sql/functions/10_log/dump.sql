-- What a dump holds. With row security, a table without a policy for reading is dumped as if it were empty, and the dump
-- succeeds. So every table of the store shows all its rows to whoever has the privilege, or raises.

create or replace function auditctl.refuse_secret() returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception 'permission denied for the secrets of the log: only a backup role may read them'
        using errcode = 'insufficient_privilege',
            hint = 'For a whole pg_dump by this login, a superuser must first run: auditctl backup-role '
                || case
                    when current_user ~ '^[A-Za-z0-9_.]+$' then current_user
                    else '''' || replace(current_user, '''', '''' || chr(92) || '''''') || ''''
                end;
end
$auditctl$;
grant execute on function auditctl.refuse_secret to public;
comment on function auditctl.refuse_secret is
    'Raises; called by the policy of auditctl.log_key, so that a dump by a login that may not see the keys fails instead of lacking them';

create or replace function auditctl_internal.open_to_dumps(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- These statements block every writer, so they run only where they change something.
    if not (select c.relrowsecurity from pg_class as c where c.oid = p_relation) then
        execute format('alter table %s enable row level security', p_relation);
    end if;
    if not exists (
        select from pg_policy as p
        where p.polrelid = p_relation and p.polcmd = 'r' and p.polpermissive and p.polroles = '{0}' and pg_get_expr(p.polqual, p.polrelid) = 'true'
    ) then
        -- The log's partitions, too: privileges decide who may read them, and a query of the log applies its own policy alone.
        execute format('create policy is_readable on %s for select using (true)', p_relation);
    end if;
    if not has_table_privilege('auditctl_backup', p_relation, 'select') then
        execute format('grant select on %s to auditctl_backup', p_relation);
    end if;
end
$auditctl$;
comment on function auditctl_internal.open_to_dumps is
    'Enables row security on a table of the store, so that nobody writes to it, with a policy that hides no row from those who may select from it';

create or replace function auditctl_internal.open_store_to_dumps() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation regclass;
begin
    perform auditctl_internal.open_to_dumps(c.oid)
    from pg_class as c
    where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p') and c.oid <> 'auditctl.log_key'::regclass
        and c.relowner = 'auditctl_owner'::regrole;
    if not exists (select from pg_policy as p where p.polrelid = 'auditctl.log_key'::regclass and p.polname = 'log_key_is_secret') then
        create policy log_key_is_secret on auditctl.log_key for select using (auditctl.refuse_secret());
    end if;
    if not exists (select from pg_policy as p where p.polrelid = 'auditctl.log_key'::regclass and p.polname = 'log_key_is_dumped') then
        create policy log_key_is_dumped on auditctl.log_key for select to auditctl_backup using (true);
    end if;
    grant select on auditctl.log_key to auditctl_backup;
    for v_relation in
        select c.oid from pg_class as c where c.relnamespace = 'auditctl'::regnamespace and c.relkind = 'S'
    loop
        execute format('grant select on sequence %s to auditctl_backup', v_relation);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.open_store_to_dumps is
    'Lets backup roles select from every table and sequence of the store, and makes a dump by anybody else whole or fail';
