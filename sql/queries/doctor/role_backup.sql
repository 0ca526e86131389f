-- Roles that can dump the whole database, other than superusers, and were not named as backup roles.
select r.rolname::text as object, r.rolname::text as login
from pg_roles as r
where r.rolbypassrls and not r.rolsuper and pg_has_role(r.oid, 'pg_read_all_data', 'usage')
    and not pg_has_role(r.oid, 'pg_write_all_data', 'member') and not coalesce(pg_has_role(r.oid, to_regrole('auditctl_owner')::oid, 'member'), false)
    and not coalesce(pg_has_role(r.oid, to_regrole('auditctl_backup')::oid, 'usage'), false)
order by 1
