-- The columns of some relations, with the built-in types that their values consist of.
with recursive wanted as (
    select c.oid as relation, a.attnum, a.attname, a.atttypid
    from pg_catalog.pg_class as c
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid
    -- A virtual generated column has no value in a trigger.
    where c.oid = any (%(relations)s) and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
),

-- A domain is its base type.
base as (
    select distinct w.atttypid as root, w.atttypid as oid
    from wanted as w
    union all
    select b.root, t.typbasetype
    from base as b
    join pg_catalog.pg_type as t on t.oid = b.oid
    where t.typtype = 'd'
),

part as (
    select b.root, b.oid
    from base as b
    join pg_catalog.pg_type as t on t.oid = b.oid
    where t.typtype <> 'd'
    union
    select p.root, inner_type.oid
    from part as p
    join pg_catalog.pg_type as t on t.oid = p.oid
    cross join lateral (
        select t.typbasetype as oid where t.typtype = 'd'
        union all
        select t.typelem where t.typcategory = 'A' and t.typelem <> 0
        union all
        select r.rngsubtype from pg_catalog.pg_range as r where t.oid in (r.rngtypid, r.rngmultitypid)
        union all
        select a.atttypid from pg_catalog.pg_attribute as a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) as inner_type
),

summary as (
    select
        p.root,
        pg_catalog.bool_and(p.oid < 16384 and t.typname not in ('json', '_json')) as is_plain,
        -- An enum is written the same under any setting; of a foreign type nothing is known.
        pg_catalog.array_agg(distinct case when p.oid < 16384 then t.typname::text else '?' end)
            filter (where t.typtype in ('b', 'r', 'm') and t.typcategory <> 'A') as constituents
    from part as p
    join pg_catalog.pg_type as t on t.oid = p.oid
    group by p.root
)

select
    w.relation::bigint,
    w.attname::text,
    w.atttypid::bigint,
    b.oid::bigint,
    pg_catalog.format_type(b.oid, -1),
    coalesce(s.constituents, '{}'),
    s.is_plain
from wanted as w
join base as b on b.root = w.atttypid
join pg_catalog.pg_type as t on t.oid = b.oid and t.typtype <> 'd'
join summary as s on s.root = w.atttypid
order by w.relation, w.attnum
