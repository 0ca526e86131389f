-- The months that expire under the new retention times but not under the old: how many, about how many events, and the
-- oldest. Which events of a month are kept longer or held is decided only when the others are deleted.
with changed as (
    select
        coalesce((now() at time zone 'UTC' - c.before::interval) at time zone 'UTC', '-infinity') as before,
        coalesce((now() at time zone 'UTC' - c.after::interval) at time zone 'UTC', '-infinity') as after
    from unnest(%(before)s::text[], %(after)s::text[]) as c (before, after)
),

month as (
    select
        c.reltuples,
        m.first,
        m.first::timestamp at time zone 'UTC' as since,
        (m.first + interval '1 month') at time zone 'UTC' as until
    from pg_inherits as i
    join pg_class as c on c.oid = i.inhrelid
    cross join lateral (
        select make_date(split_part(c.relname, '_', 2)::integer, split_part(c.relname, '_', 3)::integer, 1) as first
    ) as m
    where i.inhparent = 'auditctl.event'::regclass and c.relname ~ '^event_[0-9]{4}_(0[1-9]|1[0-2])$'
)

select
    count(*)::integer,
    coalesce(
        sum(
            case
                when m.reltuples >= 0 then m.reltuples::bigint
                else (select count(*) from auditctl.event as e where e.occurred_at >= m.since and e.occurred_at < m.until)
            end
        ), 0
    )::bigint,
    min(m.first)
from month as m
where exists (select from changed as c where m.until <= c.after and m.until > c.before)
