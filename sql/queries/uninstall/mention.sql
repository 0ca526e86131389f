-- Functions and procedures outside the store whose body names its schema: no dependency that DROP would notice.
select p.oid::regprocedure::text as name
from pg_proc as p
where p.pronamespace::regnamespace::text <> all (%(schemas)s) and p.prosrc ~ '[[:<:]]auditctl[.]'
order by name
