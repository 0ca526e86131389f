-- The captured tables whose new rule hides a column that the present one does not.
select pg_catalog.format('%%I.%%I', namespace.nspname, relation.relname)
from pg_catalog.jsonb_to_recordset(%(rules)s) as planned (relation bigint, hidden text [])
join auditctl.capture as capture on capture.relation::oid = planned.relation::oid
join pg_catalog.pg_class as relation on relation.oid = capture.relation and relation.relkind in ('r', 'p')
join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
where not planned.hidden <@ (capture.exclude || capture.mask)
order by 1
