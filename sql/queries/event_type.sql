-- Every configured event type, and every target that only business events have, each with the type that decides whether
-- it is recorded, null if none does; and those of auditctl's own that can be switched off. The targets in the log come from event_target.sql.
with recorded as (
    {event_target}
),

name as (
    select event_type.name
    from auditctl.event_type as event_type
    union
    values ('auditctl.lookup'), ('auditctl.session')
    union
    select recorded.target
    from recorded
    where recorded.target !~ '^auditctl[.]' and not exists (select from auditctl.target as target where target.target = recorded.target)
)

select
    name.name,
    configured.label,
    coalesce(deciding.enabled, true) as enabled,
    deciding.name as decided_by,
    deciding.set_by,
    pg_catalog.to_char(deciding.set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as set_at
from name
left join auditctl.event_type as configured on configured.name = name.name
cross join lateral auditctl.deciding_type(name.name) as deciding
order by name.name collate "C"
