-- Roles that can log in and whose name begins with a text.
select role.rolname::text as login
from pg_catalog.pg_roles as role
where role.rolcanlogin and role.rolname::text ^@ %(start)s::text
order by role.rolname
limit %(limit)s::integer
