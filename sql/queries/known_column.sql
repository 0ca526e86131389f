-- The columns that audited tables have now, each with the name under which its table is registered: a part of that name
-- is in double quotes where it contains a dot, a quote or a wildcard.
select
    target.target,
    attribute.attname::text as column_name
from pg_catalog.pg_class as relation
join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
join pg_catalog.pg_attribute as attribute
    on attribute.attrelid = relation.oid and attribute.attnum > 0 and not attribute.attisdropped
join auditctl.target as target
    on target.target = case
        when namespace.nspname ~ '[]."*?[]' then '"' || pg_catalog.replace(namespace.nspname, '"', '""') || '"'
        else namespace.nspname
    end || '.' || case
        when relation.relname ~ '[]."*?[]' then '"' || pg_catalog.replace(relation.relname, '"', '""') || '"'
        else relation.relname
    end
where relation.relkind in ('r', 'p', 'f')
order by target.target, attribute.attnum
