-- Columns of audited tables renamed since capture was last installed, each with its present name; null if dropped.
select
    auditctl.qualified(namespace.nspname, relation.relname),
    number.described ->> 0,
    attribute.attname::text
from auditctl.capture as capture
join pg_catalog.pg_class as relation on relation.oid = capture.relation
join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
cross join lateral pg_catalog.jsonb_each(capture.columns -> capture.target) as number (number, described)
left join pg_catalog.pg_attribute as attribute
    on attribute.attrelid = relation.oid and attribute.attnum = number.number::integer and not attribute.attisdropped
where attribute.attname is distinct from (number.described ->> 0)::name
order by 1, number.number::integer
