-- Whether this session's login can act as auditctl_owner, and up to five logins other than superusers that can. From
-- PostgreSQL 16 on membership alone does not imply that.
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
    )
from privilege
