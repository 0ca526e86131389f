-- Registers an audited table, or updates its label and key.
insert into auditctl.target as known (target, label, key_columns, key_types)
values (%(target)s, %(label)s, %(key)s::text [], auditctl_internal.key_types(%(relation)s, %(key)s::text []))
on conflict (target) do update
set label = excluded.label, key_columns = excluded.key_columns, key_types = excluded.key_types
where (known.label, known.key_columns, known.key_types) is distinct from (excluded.label, excluded.key_columns, excluded.key_types)
