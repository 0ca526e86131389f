-- Monthly tables that are no longer partitions of the log.
select
    c.oid::regclass::text as object,
    c.oid::regclass::text as relation,
    quote_literal(c.oid::regclass) as literal,
    quote_literal(to_char(month.first, 'YYYY-MM-DD"T00:00:00+00"')) as lower,
    quote_literal(to_char(month.first + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"')) as upper
from pg_class as c
cross join lateral (
    select make_date(split_part(c.relname, '_', 2)::integer, split_part(c.relname, '_', 3)::integer, 1)::timestamp as first
) as month
where c.relnamespace = to_regnamespace('auditctl') and c.relkind = 'r' and not c.relispartition
    and c.relname ~ '^event_[0-9]{4}_(0[1-9]|1[0-2])$'
order by 1
