-- Whether this login may make an index of the log without making writers wait, which no function can do for it: it acts as
-- auditctl_owner, and where the coverage guard is, that takes a superuser.
select
    r.rolsuper or not exists (
        -- Only a superuser's, as anybody who may create schemas could have one of this name.
        select from pg_namespace as n join pg_roles as o on o.oid = n.nspowner and o.rolsuper where n.nspname = 'auditctl_guard'
    ) and coalesce(pg_has_role(
        session_user, to_regrole('auditctl_owner')::oid,
        case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end
    ), false)
from pg_roles as r
where r.rolname = session_user
