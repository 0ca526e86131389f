-- Members of auditctl_owner, through other roles too, that did not install this store. From PostgreSQL 16 on one that may only
-- grant the role counts as well: it may grant the role to itself.
with recursive membership as (
    select m.member, m.roleid as via, m.grantor from pg_auth_members as m where m.roleid = to_regrole('auditctl_owner')::oid
    union
    select m.member, m.roleid, m.grantor from membership join pg_auth_members as m on m.roleid = membership.member
)

select
    r.rolname::text as object,
    quote_ident(r.rolname) as role,
    quote_ident(pg_get_userbyid(membership.via)) as via,
    case when current_setting('server_version_num')::integer >= 160000 then pg_get_userbyid(membership.grantor)::text end as grantor,
    -- Before 16 a membership has one grantor, who does not matter.
    case when current_setting('server_version_num')::integer >= 160000 and membership.grantor <> 10
        then format(' granted by %I', pg_get_userbyid(membership.grantor)) else '' end as by_grantor
from membership
join pg_roles as r on r.oid = membership.member
where not r.rolsuper and not exists (select from auditctl.member as k where k.role = 'auditctl_owner' and k.login = r.rolname)
order by r.rolname, membership.via, membership.grantor
