-- Superusers that were granted auditctl_app, directly or through other roles. The one that initdb made stays a superuser.
with recursive held as (
    select m.member, m.roleid as via
    from pg_auth_members as m
    where m.roleid = to_regrole('auditctl_app')::oid
    union
    select m.member, m.roleid
    from held
    join pg_auth_members as m on m.roleid = held.member
)

select
    r.rolname::text as object,
    quote_ident(r.rolname) as role,
    case
        when r.oid = 10
            then string_agg(format('revoke %I from %I;', pg_get_userbyid(held.via), r.rolname), ' ' order by held.via)
    end as remedy
from held
join pg_roles as r on r.oid = held.member
where r.rolsuper
group by r.oid, r.rolname
order by 1
