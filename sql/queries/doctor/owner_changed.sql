-- Objects of the store that auditctl_owner does not own.
select
    object.name as object,
    object.name as name,
    object.kind,
    pg_get_userbyid(object.owner) as owner
from (
    select 1 as rank, 'schema' as kind, n.oid::regnamespace::text as name, n.nspowner as owner
    from pg_namespace as n
    where n.nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers')
    union all
    select
        2, case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, c.relowner
    from pg_class as c
    where c.relnamespace = to_regnamespace('auditctl') and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        -- With the coverage guard it belongs to a superuser, so that auditctl_owner cannot change it.
        and not (c.relname = 'place' and exists (select from pg_roles as r where r.oid = c.relowner and r.rolsuper))
        -- A sequence that belongs to a table has the table's owner.
        and not (
            c.relkind = 'S'
            and exists (select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i'))
        )
    union all
    select 3, 'routine', p.oid::regprocedure::text, p.proowner
    from pg_proc as p
    where p.pronamespace in (to_regnamespace('auditctl'), to_regnamespace('auditctl_internal'))
        -- These have the rights of the login that installed auditctl, so that auditctl_owner cannot replace them.
        and not (p.proname in ('displacement', 'watch_displaced', 'put_trigger', 'put_read_policy', 'lend', 'lend_rows') and pg_has_role(p.proowner, 'auditctl_owner', 'MEMBER'))
        or p.pronamespace = to_regnamespace('auditctl_triggers')
        and (p.proname = any (%(needed)s) or exists (select from pg_trigger as t where t.tgfoid = p.oid))
) as object
where object.owner is distinct from to_regrole('auditctl_owner')::oid
order by object.rank, object.name
