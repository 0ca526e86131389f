-- What the login may do that asks for remedies: whether it is a superuser, may act as auditctl_owner (from PostgreSQL 16 on not
-- every member can), and may change capture as an administrator; the roles whose rights it has, the roles that it may grant,
-- and those of the given roles that exist.
select
    r.rolsuper,
    coalesce(pg_has_role(
        session_user, to_regrole('auditctl_owner')::oid,
        case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end
    ), false),
    exists (
        select
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = 'auditctl' and p.proname = 'maintain_step' and has_function_privilege(session_user, p.oid, 'execute')
    ),
    array(select s.rolname::text from pg_roles as s where pg_has_role(session_user, s.oid, 'usage')),
    array(
        select s.rolname::text
        from pg_roles as s
        where pg_has_role(session_user, s.oid, 'member with admin option')
            or r.rolcreaterole and not s.rolsuper and current_setting('server_version_num')::integer < 160000
    ),
    array(select s.rolname::text from pg_roles as s where s.rolname = any (%(markers)s))
from pg_roles as r
where r.rolname = session_user
