-- The statistics of one partition of the log; times in the log's usual format.
select
    statistics.target,
    statistics.month,
    statistics.action,
    statistics.events,
    statistics.weight,
    coalesce(
        pg_catalog.to_char(statistics.oldest at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), statistics.oldest::text
    ) as oldest,
    coalesce(
        pg_catalog.to_char(statistics.newest at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), statistics.newest::text
    ) as newest,
    statistics.recent_events,
    statistics.recent_weight,
    statistics.other_events,
    statistics.other_weight
from auditctl.statistics(
    %(partition)s::pg_catalog.oid::pg_catalog.regclass,
    %(since)s,
    %(until)s,
    %(targets)s::text [],
    %(actions)s::text [],
    %(recent)s,
    %(percent)s,
    %(hours)s::integer [],
    %(offsets)s::integer [],
    %(edges)s::timestamptz []
) as statistics
order by statistics.target, statistics.month, statistics.action
