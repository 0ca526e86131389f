-- Events in the DEFAULT partition, and the months they are of. While they lie there, those months cannot have a partition
-- of their own, and nothing may be deleted from the log: so the partition is taken off, its events are copied to new
-- partitions as they are, and an empty one takes its place, in one transaction.
select
    'audit.event_default' as object,
    string_agg(to_char(stray.month, 'YYYY-MM'), ', ' order by stray.month) as months,
    string_agg(format('select audit.create_partition(%L); ', to_char(stray.month, 'YYYY-MM-DD')), '' order by stray.month) as creates,
    quote_literal(obj_description('audit.event_default'::regclass, 'pg_class')) as comment
from (
    select distinct date_trunc('month', e.occurred_at at time zone 'UTC') as month
    from only audit.event_default as e
    where isfinite(e.occurred_at)
) as stray
having count(*) > 0
