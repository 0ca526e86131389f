-- The partitions of the log that hold rows, each with its size on disk; pages counts those of the table itself.
select
    relation.oid,
    relation.relname::text as name,
    pg_catalog.pg_get_expr(relation.relpartbound, relation.oid) = 'DEFAULT' as is_default,
    pg_catalog.pg_total_relation_size(relation.oid) as bytes,
    pg_catalog.pg_indexes_size(relation.oid) as index_bytes,
    pg_catalog.pg_relation_size(relation.oid) / pg_catalog.current_setting('block_size')::bigint as pages
from pg_catalog.pg_partition_tree('auditctl.event') as tree
join pg_catalog.pg_class as relation on relation.oid = tree.relid
where tree.isleaf
order by relation.relname
