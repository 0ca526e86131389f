-- The captured tables whose new rule hides a column that the present one does not.
select capture.relation::oid::bigint
from pg_catalog.jsonb_to_recordset(%(rules)s) as planned (relation bigint, hidden text [])
join auditctl.capture as capture on capture.relation::oid = planned.relation::oid
join pg_catalog.pg_class as relation on relation.oid = capture.relation and relation.relkind in ('r', 'p')
where not planned.hidden <@ (capture.exclude || capture.mask)
