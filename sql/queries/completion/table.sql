-- Tables that could be audited and whose name begins with a text, as rules name them. Partitions follow their parent.
with named as (
    select case
        when n.nspname ~ '[]."*?[]' then '"' || pg_catalog.replace(n.nspname, '"', '""') || '"'
        else n.nspname::text
    end || '.' || case
        when c.relname ~ '[]."*?[]' then '"' || pg_catalog.replace(c.relname, '"', '""') || '"'
        else c.relname::text
    end as name
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relpersistence <> 't' and not c.relispartition
        and n.nspname !~ '^(pg_|information_schema$|auditctl)'
)

select named.name
from named
where named.name ^@ %(start)s::text
order by named.name
limit %(limit)s::integer
