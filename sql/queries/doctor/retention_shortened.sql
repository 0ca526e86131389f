-- What was kept longer until a few days ago, and holds that were released since.
select
    'audit.retention ' || former.target as object,
    case former.target when '*' then 'every target' else former.target end as what,
    to_char((former.until + audit.retention_grace()) at time zone 'UTC', 'YYYY-MM-DD') as day,
    format('%s stated a shorter time than %s', coalesce(now.set_by, 'somebody'), coalesce(former.keep, 'forever')) as reason,
    format('select audit.set_retention(%L, %L)', former.target, coalesce(former.keep, 'forever')) as undo
from audit.retention as former
cross join audit.retention as whole
left join audit.retention as now on now.target = former.target and now.until is null
cross join lateral (
    select
        coalesce(now() - former.keep::interval, '-infinity') as before,
        case when now.retention_id is null then whole.keep else now.keep end as keep
) as cut
where former.until > now() - audit.retention_grace() and whole.target = '*' and whole.until is null
    and coalesce(now() - cut.keep::interval, '-infinity') > cut.before
union all
select
    'audit.hold ' || h.hold_id,
    h.target || coalesce(' ' || h.target_id, ''),
    to_char((h.released_at + audit.retention_grace()) at time zone 'UTC', 'YYYY-MM-DD'),
    format('%s released hold %s', h.released_by, h.hold_id),
    format('select audit.place_hold(%L, %L, %L)', h.target, h.target_id, h.reason)
from audit.hold as h
where h.released_at > now() - audit.retention_grace()
    and not exists (
        select
        from audit.hold as other
        where other.released_at is null and other.target = h.target and other.target_id is not distinct from h.target_id
    )
order by 1
