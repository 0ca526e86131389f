-- Other transactions that hold what a change of the configuration, an install, an adoption or upkeep waits for: a lock on
-- the store's tables that lets nobody else change them, or the lock of installs.
select
    case
        when l.pid is null then 'a prepared transaction'
        else format('process %%s (%%s, login %%s)', l.pid, coalesce(nullif(s.application_name, ''), 'no name'), coalesce(s.usename, 'unknown'))
    end as holder
from pg_locks as l
left join pg_stat_activity as s on s.pid = l.pid
left join pg_class as c on l.locktype = 'relation' and c.oid = l.relation
left join pg_namespace as n on n.oid = c.relnamespace
where l.granted and l.pid is distinct from pg_backend_pid()
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
    and (
        n.nspname = 'auditctl' and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        or l.locktype = 'advisory' and l.objsubid = 1 and (l.classid::bigint << 32) + l.objid::bigint = %(install)s
    )
group by 1
order by 1
limit 3
