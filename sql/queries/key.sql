-- The primary key of some relations, and the greatest column number that an added column would exceed.
select
    c.oid::bigint,
    coalesce(
        (
            select pg_catalog.array_agg(a.attname::text order by k.position)
            from pg_catalog.pg_index as i
            cross join lateral pg_catalog.unnest(i.indkey) with ordinality as k (attnum, position)
            join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where i.indrelid = c.oid and i.indisprimary and k.position <= i.indnkeyatts
        ), '{}'
    ),
    (
        select pg_catalog.max(a.attnum)
        from pg_catalog.pg_attribute as a
        where a.attrelid = case when c.relkind = 'p' then pg_catalog.pg_partition_root(c.oid) else c.oid end
    )
from pg_catalog.pg_class as c
where c.oid = any (%(relations)s)
