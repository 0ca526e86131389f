-- What is recorded about the configuration, newest first: by the index of action and target, the newest of each pair.
-- Named parameters: subjects, actions; names, for each subject the ids that count, or null for all; at and event_id, before
-- which to look, or null; limit.
select
    found.event_id,
    found.occurred_at as at,
    found.actor_kind,
    found.actor,
    found.db_user,
    found.target as subject,
    found.old_values as before,
    found.new_values as after,
    found.context ->> 'reason' as reason
from unnest(%(subjects)s::text[]) as subject (name)
cross join unnest(%(actions)s::auditctl.action[]) as action (name)
cross join lateral (
    select event.*
    from auditctl.event as event
    where event.target = subject.name
        and event.action = action.name
        and (%(names)s::jsonb is null or %(names)s::jsonb -> subject.name ? event.target_id)
        and (%(at)s::timestamptz is null or (event.occurred_at, event.event_id) < (%(at)s, %(event_id)s))
    order by event.occurred_at desc, event.event_id desc
    limit %(limit)s
) as found
order by found.occurred_at desc, found.event_id desc
limit %(limit)s
