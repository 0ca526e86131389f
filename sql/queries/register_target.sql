-- Registers audited tables, or updates their labels and keys.
insert into auditctl.target as known (target, label, key_columns, key_types, hidden)
select t.target, t.label, t.key, auditctl_internal.key_types(t.relation::oid, t.key), coalesce(t.hidden, former.hidden, '{}')
from pg_catalog.jsonb_to_recordset(%(targets)s) as t (target text, label text, relation bigint, key text [], hidden text [])
left join auditctl.target as former on former.target = t.target
on conflict (target) do update
set label = excluded.label, key_columns = excluded.key_columns, key_types = excluded.key_types, hidden = excluded.hidden
where (known.label, known.key_columns, known.key_types, known.hidden)
    is distinct from (excluded.label, excluded.key_columns, excluded.key_types, excluded.hidden)
