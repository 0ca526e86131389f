-- Members of auditctl_owner, without the login that installed auditctl, which is a member of auditctl_admin too. If several
-- logins are members of both, it cannot be identified, and all are returned.
select
    r.rolname::text as object,
    quote_ident(r.rolname) as role
from pg_roles as r
join pg_auth_members as m on m.member = r.oid and m.roleid = to_regrole('auditctl_owner')::oid
left join pg_auth_members as a on a.member = r.oid and a.roleid = to_regrole('auditctl_admin')::oid
where not r.rolsuper
group by r.oid, r.rolname
having not (
    bool_or(r.rolcanlogin and a.member is not null)
    and (
        select count(distinct other.member)
        from pg_auth_members as other
        join pg_auth_members as admin on admin.member = other.member and admin.roleid = to_regrole('auditctl_admin')::oid
        join pg_roles as o on o.oid = other.member and not o.rolsuper
        where other.roleid = to_regrole('auditctl_owner')::oid
    ) = 1
)
order by 1
