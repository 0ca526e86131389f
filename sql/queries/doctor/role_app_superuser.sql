-- Superusers that were granted auditctl_app, directly or through other roles. The one that initdb created stays a superuser.
with recursive membership as (
    select m.member, m.roleid as via
    from pg_auth_members as m
    where m.roleid = to_regrole('auditctl_app')::oid
    union
    select m.member, m.roleid
    from membership
    join pg_auth_members as m on m.roleid = membership.member
)

select
    r.rolname::text as object,
    quote_ident(r.rolname) as role,
    case
        when r.oid = 10
            then string_agg(format('revoke %I from %I;', pg_get_userbyid(membership.via), r.rolname), ' ' order by membership.via)
    end as remedy
from membership
join pg_roles as r on r.oid = membership.member
where r.rolsuper
group by r.oid, r.rolname
order by 1
