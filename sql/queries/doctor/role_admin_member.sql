-- Members of auditctl_admin, through other roles too, that were not granted the role in this database; without members of
-- auditctl_owner, who are named as such.
with recursive membership as (
    select m.member, m.roleid as via, m.grantor from pg_auth_members as m where m.roleid = to_regrole('auditctl_admin')::oid
    union
    select m.member, m.roleid, m.grantor from membership join pg_auth_members as m on m.roleid = membership.member
)

select
    r.rolname::text as object,
    quote_ident(r.rolname) as role,
    quote_ident(pg_get_userbyid(membership.via)) as via,
    case when current_setting('server_version_num')::integer >= 160000 and membership.grantor <> 10
        then format(' granted by %I', pg_get_userbyid(membership.grantor)) else '' end as by_grantor
from membership
join pg_roles as r on r.oid = membership.member
where not r.rolsuper and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
    and not exists (select from auditctl.member as k where k.role = 'auditctl_admin' and k.login = r.rolname)
order by r.rolname, membership.via, membership.grantor
