-- Logins that begin with a prefix, in any case.
select role.rolname::text as login
from pg_catalog.pg_roles as role
where role.rolcanlogin and pg_catalog.lower(role.rolname::text) ^@ pg_catalog.lower(%(prefix)s::text)
order by role.rolname
limit %(limit)s::integer
