-- Roles other than superusers that bypass row security.
select r.rolname::text as object, quote_ident(r.rolname) as role
from pg_roles as r
where r.rolbypassrls and not r.rolsuper
order by 1
