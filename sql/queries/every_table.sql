-- The tables of the database, except those of the system and of auditctl.
select
    namespace.nspname,
    relation.relname
from pg_catalog.pg_class as relation
join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
where relation.relkind in ('r', 'p', 'f', 'v', 'm')
    and namespace.nspname !~ '^(pg_|information_schema$|auditctl)'
order by 1, 2
