-- Logins other than superusers that can dump the whole database, by name.
select r.rolname::text
from pg_roles as r
where r.rolcanlogin and r.rolbypassrls and not r.rolsuper and pg_has_role(r.oid, 'pg_read_all_data', 'usage')
order by r.rolname
