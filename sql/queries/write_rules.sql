-- Writes the rules that differ from the stored ones; the others keep their row, so that only real changes become events.
insert into auditctl.rule as known ({columns})
select {columns}
from jsonb_populate_recordset(null::auditctl.rule, %(rules)s)
on conflict (name) do update
set ({columns}, set_by, set_at) = row({excluded}, session_user, now())
where ({known}) is distinct from ({excluded})
