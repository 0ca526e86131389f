-- Every table that was ever audited and every event type, with their labels, every other target in the log (by
-- event_target.sql), and auditctl's own targets. A name that is both a table and an event type has the table's label. Of a
-- table that was renamed, `later_name` is the next name, unless a table was given the former name again.
with recorded as (
    {event_target}
),

other as (
    select recorded.target
    from recorded
    where recorded.target is not null
    union
    values
    ('auditctl.accepted_finding'), ('auditctl.actor_source'), ('auditctl.archive'), ('auditctl.archiving'), ('auditctl.baseline'),
    ('auditctl.capture'), ('auditctl.consumer'), ('auditctl.ddl'), ('auditctl.ddl_statement'), ('auditctl.erasure'), ('auditctl.event_type'),
    ('auditctl.export'), ('auditctl.hold'), ('auditctl.import'), ('auditctl.lookup'), ('auditctl.partition'),
    ('auditctl.refusal'), ('auditctl.release'), ('auditctl.retention'), ('auditctl.role'),
    ('auditctl.role_statement'), ('auditctl.rule'), ('auditctl.session'), ('auditctl.sign_in'), ('auditctl.store')
),

named as (
    select
        coalesce(target.target, event_type.name) as target,
        case when target.target is null then event_type.label else target.label end as label
    from auditctl.target as target
    full join auditctl.event_type as event_type on event_type.name = target.target
    where event_type.name is null or event_type.name !~ '[*?]' or target.target is not null
)

select
    coalesce(named.target, other.target) as name,
    named.label,
    (
        select rename.new_target
        from auditctl.rename as rename
        where rename.old_target = coalesce(named.target, other.target)
            and not exists (
                select from auditctl.rename as back
                where back.new_target = rename.old_target and back.renamed_at > rename.renamed_at
            )
        order by rename.renamed_at desc
        limit 1
    ) as later_name
from named
full join other on other.target = named.target
order by 1
