-- Tables of the store without row security.
select
    c.oid::regclass::text as object,
    c.oid::regclass::text as relation
from pg_class as c
where c.relnamespace = to_regnamespace('auditctl') and c.relkind in ('r', 'p') and not c.relrowsecurity
order by 1
