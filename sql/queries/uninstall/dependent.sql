-- What does not belong to the store and depends on it, except capture triggers and read policies: the objects by which DROP
-- without CASCADE would be refused. A view is found by its rule, a default by its column.
with ours as (
    select 'pg_namespace'::regclass as class, n.oid as object from pg_namespace as n where n.nspname = any (%(schemas)s)
    union all
    select 'pg_class'::regclass, c.oid from pg_class as c where c.relnamespace::regnamespace::text = any (%(schemas)s)
    union all
    select 'pg_proc'::regclass, p.oid from pg_proc as p where p.pronamespace::regnamespace::text = any (%(schemas)s)
    union all
    select 'pg_type'::regclass, t.oid from pg_type as t where t.typnamespace::regnamespace::text = any (%(schemas)s)
    union all
    select 'pg_constraint'::regclass, o.oid from pg_constraint as o where o.connamespace::regnamespace::text = any (%(schemas)s)
),

dependent as (
    select distinct
        coalesce(r.ev_class, a.adrelid, t.tgrelid, p.polrelid, o.conrelid) as relation, d.classid, d.objid, d.objsubid,
        t.tgname, p.polname
    from pg_depend as d
    join ours on d.refclassid = ours.class and d.refobjid = ours.object
    left join pg_rewrite as r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    left join pg_attrdef as a on d.classid = 'pg_attrdef'::regclass and a.oid = d.objid
    left join pg_trigger as t on d.classid = 'pg_trigger'::regclass and t.oid = d.objid
    left join pg_policy as p on d.classid = 'pg_policy'::regclass and p.oid = d.objid
    left join pg_constraint as o on d.classid = 'pg_constraint'::regclass and o.oid = d.objid and o.conrelid <> 0
    where d.deptype in ('n', 'a')
)

select distinct
    case
        when d.classid = 'pg_rewrite'::regclass then pg_describe_object('pg_class'::regclass, d.relation, 0)
        when d.classid = 'pg_class'::regclass then pg_describe_object(d.classid, d.objid, 0)
        else pg_describe_object(d.classid, d.objid, d.objsubid)
    end as name
from dependent as d
where (d.classid, d.objid) not in (select o.class, o.object from ours as o)
    and not exists (select from ours as o where o.class = 'pg_class'::regclass and o.object = d.relation)
    and d.classid not in ('pg_event_trigger'::regclass, 'pg_default_acl'::regclass)
    and coalesce(d.tgname, '') !~ '^auditctl_(create|update|delete|truncate)$'
    and coalesce(d.polname, '') not in ('auditctl_read', 'auditctl_open')
order by name
