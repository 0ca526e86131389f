-- What transactions did: their selected events by target, action and changed columns, and the users among these. Columns
-- are read of transactions with few events only, and never of values that are stored out of line.
select
    place.position,
    part.target,
    part.action,
    part.columns,
    part.events,
    part.first_kind,
    part.last_kind,
    part.first_actor,
    part.last_actor
from {places}
cross join lateral (
    select
        activity.target_name as target,
        auditctl.shown_action(activity.action, activity.context) as action,
        case
            when activity.action = 'UPDATE' and place.events <= {most} and pg_catalog.pg_column_size(activity.new_values) <= 1500
                then array(select pg_catalog.jsonb_object_keys(activity.new_values))
        end as columns,
        pg_catalog.count(*) as events,
        pg_catalog.min(activity.actor_kind) as first_kind,
        pg_catalog.max(activity.actor_kind) as last_kind,
        pg_catalog.min(coalesce(activity.actor, '') collate "C") as first_actor,
        pg_catalog.max(coalesce(activity.actor, '') collate "C") as last_actor
    from auditctl.activity as activity
    where {condition}
    group by 1, 2, 3
) as part
