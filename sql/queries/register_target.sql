-- Registers an audited table, or updates its label and key.
insert into auditctl.target as known (target, label, key_columns)
values (%(target)s, %(label)s, %(key)s::text [])
on conflict (target) do update
set label = excluded.label, key_columns = excluded.key_columns
where (known.label, known.key_columns) is distinct from (excluded.label, excluded.key_columns)
