-- Roles other than superusers that bypass row security; those that can also read everything and write nothing here are
-- backup roles, or role_backup reports them.
select r.rolname::text as object, quote_ident(r.rolname) as role
from pg_roles as r
where r.rolbypassrls and not r.rolsuper
    and (
        not pg_has_role(r.oid, 'pg_read_all_data', 'usage')
        or pg_has_role(r.oid, 'pg_write_all_data', 'member')
        or pg_has_role(r.oid, to_regrole('auditctl_owner')::oid, 'member')
    )
order by 1
