-- Former partitions and children of audited tables that are not audited now, each with the capture of the table it left.
with recursive tree as (
    select capture.relation::oid as root, capture.relation::oid as member
    from auditctl.capture as capture
    union
    select tree.root, link.inhrelid
    from tree
    join pg_catalog.pg_inherits as link on link.inhparent = tree.member
)

select distinct on (relation.oid)
    auditctl.qualified(namespace.nspname, relation.relname) as name,
    capture.target,
    to_jsonb(capture) || case
        when exists (select from pg_catalog.pg_index as i where i.indrelid = relation.oid and i.indisprimary) then '{"key": []}'::jsonb
        else '{}'::jsonb
    end as capture,
    array(
        select attribute.attname::text
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid in (relation.oid, capture.relation) and attribute.attnum > 0 and not attribute.attisdropped
    ) as columns
from auditctl.capture as capture
cross join lateral pg_catalog.unnest(capture.members || capture.detached) as former
join pg_catalog.pg_class as relation on relation.oid = former::oid
join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
where not exists (select from tree where tree.root = capture.relation::oid and tree.member = relation.oid)
    and not exists (select from auditctl.capture as own where own.relation::oid = relation.oid)
order by relation.oid, capture.target
