-- What is recorded about the configuration, newest first. Its events are few: all are found by the index of targets before they
-- are sorted, as a walk through the log in its order would read nearly all of it.
-- Named parameters: subjects; names, for each subject the ids that count, or null for all; at and event_id, before which to
-- look, or null; limit.
with recorded as materialized (
    select
        event.occurred_at,
        event.event_id
    from auditctl.event as event
    where event.target = any(%(subjects)s)
        and (%(names)s::jsonb is null or %(names)s::jsonb -> event.target ? event.target_id)
        and (%(at)s::timestamptz is null or (event.occurred_at, event.event_id) < (%(at)s, %(event_id)s))
),

page as materialized (
    select
        recorded.occurred_at,
        recorded.event_id
    from recorded
    order by recorded.occurred_at desc, recorded.event_id desc
    limit %(limit)s
)

select
    event.event_id,
    event.occurred_at as at,
    event.actor_kind,
    event.actor,
    event.db_user,
    event.target as subject,
    event.old_values as before,
    event.new_values as after,
    event.context ->> 'reason' as reason
from page
join auditctl.event as event on event.occurred_at = page.occurred_at and event.event_id = page.event_id
order by page.occurred_at desc, page.event_id desc
