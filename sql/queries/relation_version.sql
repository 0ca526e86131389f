-- A digest that changes with each change of a relation's catalog rows, even with one that is undone later.
select pg_catalog.sum(pg_catalog.hashtextextended(v.row_version, v.key)) as digest
from (
    select
        c.oid::bigint as key,
        'class ' || c.xmin::text as row_version
    from pg_catalog.pg_class as c
    where c.oid = any(%(relations)s::oid[])
    union all
    select
        a.attrelid::bigint << 16 | a.attnum,
        'attribute ' || a.xmin::text
    from pg_catalog.pg_attribute as a
    where a.attrelid = any(%(relations)s::oid[]) and a.attnum > 0
    union all
    select
        t.oid::bigint,
        'trigger ' || t.xmin::text
    from pg_catalog.pg_trigger as t
    where t.tgrelid = any(%(relations)s::oid[])
    union all
    select
        i.indexrelid::bigint,
        'index ' || i.xmin::text
    from pg_catalog.pg_index as i
    where i.indrelid = any(%(relations)s::oid[])
) as v
