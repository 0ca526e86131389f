-- Whether this login can act as auditctl_owner (from PostgreSQL 16 on not every member can), five non-superusers that can, and
-- whether it may change capture as an administrator.
with privilege as (
    select case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end as name
)

select
    session_user::text,
    pg_has_role(session_user, 'auditctl_owner', privilege.name),
    array(
        select role.rolname::text
        from pg_roles as role
        where role.rolcanlogin and not role.rolsuper and pg_has_role(role.oid, 'auditctl_owner', privilege.name)
        order by role.rolname
        limit 5
    ),
    has_function_privilege(session_user, 'auditctl.change_capture(jsonb,oid[],jsonb,text[],jsonb)', 'execute')
from privilege
