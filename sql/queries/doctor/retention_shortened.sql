-- Retention times that were shortened and holds that were released a few days ago, and do not take effect yet.
select r.object, r.what, r.day, r.reason, r.undo
from (
    -- The longest of the former times, of which the one that counts last.
    select distinct on (former.target)
        'auditctl.retention ' || former.target as object,
        case former.target when '*' then 'every target' else former.target end as what,
        coalesce(
            'from ' || to_char((former.noticed_at + auditctl.retention_grace()) at time zone 'UTC', 'YYYY-MM-DD') || ' on',
            '7 days after the next run of maintain'
        ) as day,
        format('%s stated a shorter time than %s', coalesce(now.set_by, 'somebody'), coalesce(former.keep, 'forever')) as reason,
        format('select auditctl.set_retention(%L, %L)', former.target, coalesce(former.keep, 'forever')) as undo
    from auditctl.retention as former
    cross join auditctl.retention as overall
    left join auditctl.retention as now on now.target = former.target and now.until is null
    cross join lateral (
        select
            coalesce(now() - former.keep::interval, '-infinity') as before,
            case when now.retention_id is null then overall.keep else now.keep end as keep
    ) as cut
    where former.until is not null and (former.noticed_at is null or former.noticed_at > now() - auditctl.retention_grace())
        and overall.target = '*' and overall.until is null
        and coalesce(now() - cut.keep::interval, '-infinity') > cut.before
    order by former.target, cut.before, former.noticed_at desc nulls first
) as r
union all
select
    'auditctl.hold ' || h.hold_id,
    h.target || coalesce(' ' || h.target_id, ''),
    coalesce(
        'from ' || to_char((h.noticed_at + auditctl.retention_grace()) at time zone 'UTC', 'YYYY-MM-DD') || ' on',
        '7 days after the next run of maintain'
    ),
    format('%s released hold %s', h.released_by, h.hold_id),
    format('select auditctl.place_hold(%L, %L, %L)', h.target, h.target_id, h.reason)
from auditctl.hold as h
where h.released_at is not null
    and (h.noticed_at is null or h.noticed_at > now() - auditctl.retention_grace())
    and not exists (
        select
        from auditctl.hold as other
        where other.released_at is null and other.target = h.target and other.target_id is not distinct from h.target_id
    )
order by 1
