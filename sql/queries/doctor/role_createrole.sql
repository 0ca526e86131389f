-- Roles that can make themselves members of auditctl_owner before PostgreSQL 16, without the login that installed auditctl.
select r.rolname::text as object, quote_ident(r.rolname) as role
from pg_roles as r
where r.rolcreaterole and not r.rolsuper and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
order by 1
