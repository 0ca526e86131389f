-- Every event type that is stated, and every target that only business events have, each with the type that says whether
-- it is recorded; null where nothing is said. The targets of events are those of event_target.sql.
with seen as (
    {event_target}
),

name as (
    select event_type.name
    from auditctl.event_type as event_type
    union
    select seen.target
    from seen
    where seen.target !~ '^auditctl[.]' and not exists (select from auditctl.target as target where target.target = seen.target)
)

select
    name.name,
    stated.label,
    coalesce(deciding.enabled, true) as enabled,
    deciding.name as decided_by,
    deciding.set_by,
    pg_catalog.to_char(deciding.set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as set_at
from name
left join auditctl.event_type as stated on stated.name = name.name
cross join lateral auditctl.deciding_type(name.name) as deciding
order by name.name collate "C"
