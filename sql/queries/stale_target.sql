-- The audited tables whose registration differs from what it should be, or from the state that the table has now.
select t.relation
from pg_catalog.jsonb_to_recordset(%(targets)s) as t (relation bigint, target text, label text, key text [], hidden text [], keys jsonb)
left join auditctl.capture as k on k.relation::oid = t.relation::oid
left join auditctl.target as g on g.target = t.target
where k.relation is null or g.target is null
    or (g.label, g.key_columns, g.hidden) is distinct from (t.label, t.key, coalesce(t.hidden, g.hidden))
    or to_jsonb(k) || t.keys <> to_jsonb(k)
    or k.detached <> '{}'
    or k.columns_of is distinct from auditctl_internal.table_identity(k.relation)
    or k.shape is distinct from auditctl_internal.current_shape(k.relation, auditctl_internal.current_members(k.relation))
