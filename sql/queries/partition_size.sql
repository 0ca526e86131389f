-- Estimates the number of events in the given partitions as the planner does: from their present size and the events per
-- page when they were last analyzed; thirty per page if they never were.
select
    coalesce(sum(
        pg_catalog.pg_relation_size(relation.oid) / pg_catalog.current_setting('block_size')::float8
        * case when relation.relpages > 0 and relation.reltuples > 0 then relation.reltuples / relation.relpages else 30 end
    ), 0) as events
from pg_catalog.pg_class as relation
where relation.relnamespace = 'auditctl'::regnamespace and relation.relname = any(%(partitions)s::text [])
