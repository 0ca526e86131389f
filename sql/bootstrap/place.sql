-- How the store knows whether it is where it was installed. Runs as the installing login, at every install, because the
-- coverage guard asks: auditctl_owner may change neither the answer nor the row that it is based on.

do $auditctl$
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        execute pg_catalog.format('grant usage, create on schema auditctl_internal to %I', session_user);
    end if;
end
$auditctl$;

reset role;

do $install$
begin
    -- A function that a superuser or another login owns stays as it is.
    if exists (
        select
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'auditctl_internal'::regnamespace and p.proname = 'displacement'
            and not pg_catalog.pg_has_role(session_user, p.proowner, 'MEMBER')
    ) then
        return;
    end if;
    execute $function$
create or replace function auditctl_internal.displacement() returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- A physical copy, a promoted standby and pg_upgrade preserve every sign, but for the cluster's identifier. A dump
-- preserves none of them. The object ids could be the same by accident, the writing transaction as well hardly.
declare
    v_phrase text;
begin
    select
        case
            when count(*) = 0 then 'was restored without its rows'
            when not bool_and(p.xmin = p.written_in and p.relation = p.tableoid) then 'was restored from a dump'
            when not bool_and(coalesce(p.database = d.oid, true)) then 'is a copy of another database'
        end
    into v_phrase
    from auditctl.place as p
    join pg_database as d on d.datname = current_database();
    return v_phrase;
exception when undefined_table then
    return 'was restored without the table auditctl.place';
end
$auditctl$
    $function$;
    alter function auditctl_internal.displacement() owner to session_user;
    revoke execute on function auditctl_internal.displacement() from public;
    grant execute on function auditctl_internal.displacement() to auditctl_owner;
    comment on function auditctl_internal.displacement() is
        'What happened to a store that is not where it was installed, as a phrase such as "was restored from a dump"; null in its place';
end
$install$;

set local role auditctl_owner;

do $auditctl$
begin
    if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user) then
        execute pg_catalog.format('revoke usage, create on schema auditctl_internal from %I', session_user);
    end if;
end
$auditctl$;
