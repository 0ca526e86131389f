-- The changes of the types of business events, oldest first: whether their events were recorded from then on.
select
    e.occurred_at,
    coalesce(e.actor, e.db_user) as who,
    name.name,
    name.name is distinct from e.new_values ->> 'name' or (e.new_values ->> 'enabled')::boolean as is_on
from auditctl.event as e
cross join lateral (
    select e.old_values ->> 'name' as name
    union
    select e.new_values ->> 'name'
) as name
where e.target = 'auditctl.event_type' and name.name is not null
order by e.occurred_at, e.event_id
