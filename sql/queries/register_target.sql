-- Registers audited tables, or updates their labels and keys.
insert into auditctl.target as known (target, label, key_columns, key_types)
select t.target, t.label, t.key, auditctl_internal.key_types(t.relation::oid, t.key)
from pg_catalog.jsonb_to_recordset(%(targets)s) as t (target text, label text, relation bigint, key text [])
on conflict (target) do update
set label = excluded.label, key_columns = excluded.key_columns, key_types = excluded.key_types
where (known.label, known.key_columns, known.key_types) is distinct from (excluded.label, excluded.key_columns, excluded.key_types)
