-- Counts events in one pass: by time and action, by target, by user, and by hour of the week. The columns that are not null
-- show what a row counts: bucket, target, actor_kind or hour; of a sample also its blocks, where all are null. Edges are the
-- lower bounds of the bars; source is the log, or a sample of it.
select
    pg_catalog.width_bucket(activity.created_on, {edges}) as bucket,
    auditctl.shown_action(activity.action, activity.context) as action,
    activity.target_name as target,
    activity.actor_kind,
    activity.actor,
    {hour} as hour,
    pg_catalog.count(*) as events
from {source} as activity
where {condition}
group by grouping sets ((1, 2), (activity.target_name), (activity.actor_kind, activity.actor), (6){blocks})
