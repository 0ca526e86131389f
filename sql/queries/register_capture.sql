-- Registers audited tables for the coverage guard, or updates their rows, in the order in which the guard locks them.
insert into auditctl.capture as known ({columns}, being_changed_by)
select {columns}, pg_current_xact_id()
from jsonb_populate_recordset(null::auditctl.capture, %(captures)s)
order by relation
on conflict (relation) do update
set
    ({columns}, being_changed_by) = row({excluded}, excluded.being_changed_by),
    -- Changing the columns of a rule also drops the remembered former ones.
    former_exclude = case when known.exclude = excluded.exclude then known.former_exclude else '{{}}' end,
    former_mask = case when known.mask = excluded.mask then known.former_mask else '{{}}' end
