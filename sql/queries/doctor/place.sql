-- What happened to a store that is not in its place, as a phrase. The same as auditctl_internal.displacement(), which not
-- every login may call, and which a restore may have changed.
select
    'database ' || current_database() as object,
    found.phrase
from (
    select
        case
            when count(*) = 0 then 'was restored without its rows'
            when not bool_and(p.xmin = p.written_in and p.relation = p.tableoid) then 'was restored from a dump'
            when not bool_and(coalesce(p.database = d.oid, true)) then 'is a copy of another database'
        end as phrase
    from auditctl.place as p
    join pg_database as d on d.datname = current_database()
) as found
where found.phrase is not null
