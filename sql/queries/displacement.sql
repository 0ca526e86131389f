-- What happened to a store that is not where it was installed, as a phrase; null in its place. The same as
-- auditctl_internal.displacement(), which not every login may call.
select
    case
        when count(*) = 0 then 'was restored without its rows'
        when not bool_and(p.xmin = p.written_in and p.relation = p.tableoid) then 'was restored from a dump'
        when not bool_and(coalesce(p.database = d.oid, true)) then 'is a copy of another database'
    end
from auditctl.place as p
join pg_database as d on d.datname = current_database()
