-- About how many events some partitions hold, as the planner guesses: by their size now, and how full a page was when
-- they were last looked through; a page that nobody looked at has thirty.
select
    coalesce(sum(
        pg_catalog.pg_relation_size(class.oid) / pg_catalog.current_setting('block_size')::float8
        * case when class.relpages > 0 and class.reltuples > 0 then class.reltuples / class.relpages else 30 end
    ), 0) as events
from pg_catalog.pg_class as class
where class.relnamespace = 'auditctl'::regnamespace and class.relname = any(%(partitions)s::text [])
