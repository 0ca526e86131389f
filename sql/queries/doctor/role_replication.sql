-- Logins that may replicate, other than superusers. PostgreSQL checks the attribute of the login itself, not of its roles.
select r.rolname::text as object, quote_ident(r.rolname) as role
from pg_roles as r
where r.rolreplication and r.rolcanlogin and not r.rolsuper
order by 1
