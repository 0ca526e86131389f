-- Columns that begin with a text: of one table, as a command line names it, or of all audited tables.
select distinct a.attname::text as name
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
cross join auditctl.qualified(n.nspname, c.relname) as named (name)
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where
    c.relkind in ('r', 'p', 'f')
    and case
        when %(table)s::text is null then named.name in (select target.target from auditctl.target as target)
        else named.name in (%(table)s::text, 'public.' || %(table)s::text)
    end
    and a.attname::text ^@ %(start)s::text
order by 1
limit %(limit)s::integer
