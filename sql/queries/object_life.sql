-- The events of the table in the periods of an object, the updates by which it left them, and all truncates of its table.
select activity.*
from (
    select
        event.event_id,
        event.created_on
    from unnest({targets}::text[], {keys}::text[], {since}::timestamptz[], {until}::timestamptz[])
        as period (target, target_id, since, until)
    join auditctl.activity as event
        on event.target_name = period.target and event.target_id = period.target_id and event.created_on between period.since and period.until
    union
    select
        change.event_id,
        change.occurred_at
    from unnest({targets}::text[], {keys}::text[], {since}::timestamptz[], {until}::timestamptz[])
        as period (target, target_id, since, until)
    join auditctl.key_change as change
        on change.target = period.target and change.previous_target_id = period.target_id
            and change.occurred_at between period.since and period.until
    union
    select
        event.event_id,
        event.created_on
    from unnest({names}::text[], {names_since}::timestamptz[], {names_until}::timestamptz[]) as name (target, since, until)
    join auditctl.activity as event
        on event.target_name = name.target and event.target_id is null and event.action = 'TRUNCATE'
            and event.created_on between name.since and name.until
) as life
join auditctl.activity as activity on activity.event_id = life.event_id and activity.created_on = life.created_on
