-- Every relation that a user could name, or those given, with its ancestors and its capture triggers, each null where there
-- are none.
with recursive ancestor as (
    select i.inhrelid as relation, i.inhparent as parent, 1 as distance
    from pg_catalog.pg_inherits as i
    union all
    select ancestor.relation, i.inhparent, ancestor.distance + 1
    from ancestor
    join pg_catalog.pg_inherits as i on i.inhrelid = ancestor.parent
)

select
    c.oid::bigint as oid,
    n.nspname::text as schema,
    c.relname::text as "table",
    c.relkind::text as kind,
    c.relpersistence::text as persistence,
    c.relispartition as is_partition,
    exists (
        select
        from pg_catalog.pg_depend as d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.objsubid = 0 and d.deptype = 'e'
    ) as is_of_extension,
    (
        select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(pn.nspname, pc.relname) order by a.distance, pn.nspname, pc.relname)
        from ancestor as a
        join pg_catalog.pg_class as pc on pc.oid = a.parent
        join pg_catalog.pg_namespace as pn on pn.oid = pc.relnamespace
        where a.relation = c.oid and pc.relkind in ('r', 'p', 'f')
    ) as parents,
    (
        select pg_catalog.jsonb_agg(
            pg_catalog.jsonb_build_object(
                'name', t.tgname, 'function', array[fn.nspname, f.proname], 'is_clone', t.tgparentid <> 0
            )
            order by t.tgname
        )
        from pg_catalog.pg_trigger as t
        join pg_catalog.pg_proc as f on f.oid = t.tgfoid
        join pg_catalog.pg_namespace as fn on fn.oid = f.pronamespace
        where t.tgrelid = c.oid and c.relhastriggers and (t.tgname = any (%(triggers)s) or fn.nspname = %(trigger_schema)s)
    ) as triggers
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'v', 'm') and n.nspname <> 'pg_toast'
    and (%(relations)s::bigint [] is null or c.oid = any (%(relations)s::bigint []))
order by n.nspname collate "C", c.relname collate "C"
