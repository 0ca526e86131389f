-- Functions in the schema of generated functions that no rule needs and no trigger calls.
select
    p.oid::regprocedure::text as object,
    p.oid::regprocedure::text as function
from pg_proc as p
where p.pronamespace = to_regnamespace('auditctl_triggers')
    and not (p.pronargs = 0 and p.proname = any (%(needed)s))
    and not exists (select from pg_trigger as t where t.tgfoid = p.oid)
order by 1
