-- The changes of the types of business events, oldest first: whether they recorded from then on, null for one that was removed.
select
    e.occurred_at,
    coalesce(e.actor, e.db_user) as who,
    name.name,
    case when name.name = e.new_values ->> 'name' then (e.new_values ->> 'enabled')::boolean end as enabled
from auditctl.event as e
cross join lateral (
    select e.old_values ->> 'name' as name
    union
    select e.new_values ->> 'name'
) as name
where e.target = 'auditctl.event_type' and name.name is not null
order by e.occurred_at, e.event_id
