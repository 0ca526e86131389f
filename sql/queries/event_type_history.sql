-- The changes of the types of business events, oldest first.
select
    e.event_id,
    e.occurred_at as at,
    e.target as subject,
    coalesce(e.actor, e.db_user) as who,
    e.old_values as before,
    e.new_values as after
from auditctl.event as e
where e.target = 'auditctl.event_type'
order by e.occurred_at, e.event_id
