-- What auditctl_owner owns in this database outside the store's schemas, which DROP OWNED would drop too; and what others
-- own in them, which it would leave, but for what the store lends from the login that installed.
select pg_describe_object(d.classid, d.objid, d.objsubid) as name
from pg_shdepend as d
cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
where d.refclassid = 'pg_authid'::regclass and d.refobjid = to_regrole('auditctl_owner') and d.deptype = 'o'
    and d.dbid = (select b.oid from pg_database as b where b.datname = current_database())
    and coalesce(o.schema, o.name) <> all (%(schemas)s)
union
select pg_describe_object(o.class, o.object, 0)
from (
    select 'pg_class'::regclass as class, c.oid as object, c.relname::text as name, c.relnamespace as schema, c.relowner as owner from pg_class as c
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    union all
    select 'pg_proc'::regclass, p.oid, p.proname::text, p.pronamespace, p.proowner from pg_proc as p
) as o
where o.schema::regnamespace::text = any (%(schemas)s) and o.schema <> coalesce(to_regnamespace('auditctl_guard')::oid, 0)
    and o.owner <> to_regrole('auditctl_owner')
    and o.object <> coalesce(to_regclass('auditctl.place')::oid, 0)
    and not (
        o.class = 'pg_proc'::regclass and o.schema = to_regnamespace('auditctl_internal')
        and pg_has_role(o.owner, to_regrole('auditctl_owner'), 'MEMBER')
    )
order by name
