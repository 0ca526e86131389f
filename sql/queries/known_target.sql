-- Every table that was ever audited and every event type, with their labels, every other target that events name, and
-- auditctl's own, which may not have an event yet. A name that is both has the table's label.
-- The targets of events are those of event_target.sql.
with seen as (
    {event_target}
),

other as (
    select seen.target
    from seen
    where seen.target is not null
    union
    values
    ('audit.capture'), ('audit.ddl'), ('audit.event_type'), ('audit.export'), ('audit.import'),
    ('audit.hold'), ('audit.partition'), ('audit.retention'), ('audit.role'), ('audit.rule'), ('audit.store')
),

named as (
    select
        coalesce(target.target, event_type.name) as target,
        case when target.target is null then event_type.label else target.label end as label
    from audit.target as target
    full join audit.event_type as event_type on event_type.name = target.target
    where event_type.name is null or event_type.name !~ '[*?]' or target.target is not null
)

select
    coalesce(named.target, other.target) as target,
    named.label
from named
full join other on other.target = named.target
order by 1
