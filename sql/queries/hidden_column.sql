-- The columns of tables that capture has hidden until now, or hid when it last captured them: under the names that it
-- knows, and under those that they have now.
select
    t.relation,
    array(
        select h.name
        from auditctl.capture as k
        cross join lateral pg_catalog.unnest(k.exclude || k.mask || k.former_exclude || k.former_mask) as h (name)
        where k.relation::oid = t.relation::oid or (k.members || k.detached)::oid [] @> array[t.relation::oid]
        union
        -- Renamed while the guard was off. In another database, or another cluster, numbers of columns mean nothing.
        select a.attname::text
        from auditctl.capture as k
        join pg_catalog.pg_database as d on d.datname = pg_catalog.current_database()
        cross join lateral pg_catalog.jsonb_each(k.columns -> k.target) as number (number, described)
        join pg_catalog.pg_attribute as a on a.attrelid = k.relation and a.attnum = number.number::integer and not a.attisdropped
        where k.relation::oid = t.relation::oid and k.columns_of like '%% ' || d.oid || ' ' || k.relation::oid
            and number.described ->> 0 = any (k.exclude || k.mask)
        union
        select h.name
        from auditctl.target as g
        cross join lateral pg_catalog.unnest(g.hidden) as h (name)
        where g.target = t.target
    ) as names
from pg_catalog.jsonb_to_recordset(%(tables)s) as t (relation bigint, target text)
