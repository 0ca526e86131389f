-- What one partition of the log holds; times as the log prints them everywhere.
select
    target,
    month,
    action::text,
    events,
    weight,
    coalesce(pg_catalog.to_char(oldest at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), oldest::text) as oldest,
    coalesce(pg_catalog.to_char(newest at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), newest::text) as newest,
    recent_events,
    recent_weight,
    other_events,
    other_weight
from auditctl.statistics(
    %(partition)s::pg_catalog.oid::pg_catalog.regclass,
    %(since)s,
    %(until)s,
    %(targets)s::text [],
    %(actions)s::auditctl.action [],
    %(recent)s,
    %(percent)s
)
order by target, month, action
