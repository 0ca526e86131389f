-- The columns of the given relations that capture can see, and their primary keys.
select
    c.oid::bigint as oid,
    array(
        select a.attname::text
        from pg_catalog.pg_attribute as a
        -- A virtual generated column has no value in a trigger.
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
        order by a.attnum
    ) as columns,
    coalesce(
        (
            select pg_catalog.array_agg(a.attname::text order by k.position)
            from pg_catalog.pg_index as i
            cross join lateral pg_catalog.unnest(i.indkey) with ordinality as k (attnum, position)
            join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where i.indrelid = c.oid and i.indisprimary and k.position <= i.indnkeyatts
        ), '{}'
    ) as primary_key
from pg_catalog.pg_class as c
where c.oid = any (%(relations)s)
